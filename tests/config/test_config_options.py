"""What one value may look like, what it becomes, and what its writer is told."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.config import converters
from forkserver.config.options import Limits, Log, Option, Server, Workers, boolean, declared, duration, size, text


def why(convert, text, folder="/etc"):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is what the tests look at
        convert(text, folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10.0), ("2m", 120.0), ("1h", 3600.0), ("1.5s", 1.5), ("0", 0.0), ("10 s", 10.0)],
)
def test_durations(text, seconds):
    assert duration(text, "") == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10", '"10" has no unit; write 10s, or one of ms, m and h'),
        ("10sec", '"sec" is not a unit of time; they are ms, s, m and h'),
        ("5M", '"M" is not a unit of time; they are ms, s, m and h'),
        ("soon", '"soon" is not a duration such as 500ms, 10s, 2m or 1h'),
        ("", '"" is not a duration such as 500ms, 10s, 2m or 1h'),
        ("-1s", '"-1s" is not a duration such as 500ms, 10s, 2m or 1h'),
        ("\u0661s", '"\u0661s" is not a duration such as 500ms, 10s, 2m or 1h'),
        ("9999h", '"9999h" is longer than a year'),
    ],
)
def test_wrong_durations(text, reason):
    assert why(duration, text) == reason


def test_a_wait_that_must_end_is_above_0():
    assert why(converters.limit, "0") == "every wait must end; give a time above 0, such as 1h"


@given(st.decimals(0, 3600, places=3), st.sampled_from(["ms", "s", "m", "h"]))
def test_a_duration_is_written_as_it_is_read(number, unit):
    seconds = duration(f"{number}{unit}", "")
    assert duration(converters.duration_text(seconds), "") == seconds


def test_durations_are_written_with_their_largest_unit():
    written = [converters.duration_text(seconds) for seconds in (0.0, 0.0015, 0.5, 75.0, 90.5, 600.0, 7200.0)]
    assert written == ["0", "1.5ms", "500ms", "75s", "90500ms", "10m", "2h"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("512", 512), ("8k", 8192), ("8K", 8192), ("16M", 1 << 24), ("1G", 1 << 30)],
)
def test_sizes(text, number):
    assert size(text, "") == number


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("16MB", '"MB" is not a unit of size; they are k, M and G (powers of 1024)'),
        ("-1", '"-1" is not a size such as 512, 8k, 16M or 1G'),
        ("1.5M", '"1.5M" is not a size such as 512, 8k, 16M or 1G'),
        ("999999999G", '"999999999G" is more than 1048576G'),
    ],
)
def test_wrong_sizes(text, reason):
    assert why(size, text) == reason


@given(st.integers(0, converters.LARGEST))
def test_a_size_is_written_as_it_is_read(number):
    assert size(converters.size_text(number), "") == number


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("On", True), ("TRUE", True), ("no", False)])
def test_booleans(text, value):
    assert boolean(text, "") is value


def test_a_wrong_boolean():
    assert why(boolean, "1") == '"1" is neither yes nor no (also on, off, true, false)'


def test_integers_have_bounds():
    convert = converters.integer(-1, 10)
    assert [convert("-1", ""), convert("10", "")] == [-1, 10]
    assert why(convert, "11") == '"11" is not a whole number from -1 to 10'
    assert why(convert, "9" * 5000).startswith('"9999')
    assert why(convert, "1_0") == '"1_0" is not a whole number from -1 to 10'


def test_a_long_value_is_not_repeated_for_ever():
    assert len(why(boolean, "x" * 10_000)) < 200


def test_text_joins_its_lines():
    assert text("one\ntwo", "") == "one two"


def test_paths_start_from_the_folder_of_their_file():
    assert converters.path("www/../site", "/etc/forkserver") == "/etc/forkserver/site"
    assert converters.path("/srv", "/etc") == "/srv"
    assert converters.path("www", ".") == os.path.abspath("www")
    assert why(converters.path, "") == "one path is expected, on one line"
    assert why(converters.path, "a\nb") == "one path is expected, on one line"


def test_existing_folders(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert converters.existing_folder(".", str(tmp_path)) == str(tmp_path)
    assert why(converters.existing_folder, "gone", str(tmp_path)) == f"no such folder: {tmp_path}/gone"
    assert why(converters.existing_folder, "file", str(tmp_path)) == f"not a folder: {file}"


def test_lists_are_separated_by_commas_and_lines():
    assert converters.listing(size)("1k, 2k,\n3k\n,", "") == (1024, 2048, 3072)
    assert converters.listing(size)("", "") == ()


def test_a_choice_suggests():
    convert = converters.choice("debug", "info")
    assert convert("info", "") == "info"
    assert why(convert, "inof") == '"inof" is none of debug, info; did you mean info?'


def test_workers():
    processors = len(os.sched_getaffinity(0))
    assert converters.workers("auto", "") == Workers(processors, processors)
    assert converters.workers("3", "") == Workers(3, 3)
    assert converters.workers("2-8", "") == converters.workers("2 - 8", "") == Workers(2, 8)
    assert converters.workers("1-1024", "") == Workers(1, 1024)
    assert why(converters.workers, "8-2") == '"8-2" ends below its beginning; write 2-8'
    assert why(converters.workers, "atuo").endswith("; did you mean auto?")


@pytest.mark.parametrize(
    "text", ["0", "1025", "0-4", "4-1025", "-4", "4-", "2-3-4", "2..4", "9999999999", "auto-4", "٣"]
)
def test_numbers_of_workers_that_are_none(text):
    told = f'"{text}" is neither auto nor a whole number from 1 to 1024, nor MIN-MAX'
    assert why(converters.workers, text).startswith(told)


@pytest.mark.parametrize("text", ["1", "7", "2-8"])
def test_numbers_of_workers_are_written_as_they_are_read(text):
    assert str(converters.workers(text, "")) == text


def test_the_nearest_number_of_workers():
    assert [Workers(2, 4).nearest(number) for number in (0, 2, 3, 4, 9)] == [2, 2, 3, 4, 4]


def test_users_and_groups_are_known_to_the_system():
    assert converters.user("root", "") == "root"
    assert converters.group("root", "") == "root"
    assert why(converters.user, "nobody-at-all") == "unknown user: nobody-at-all"
    assert why(converters.group, "nobody-at-all") == "unknown group: nobody-at-all"


@pytest.mark.parametrize("text", ["stdout", "stderr", "none", "syslog", "syslog:local3"])
def test_log_destinations_by_name(text):
    assert converters.log_destination(text, "/etc") == text


def test_log_destinations_by_path(tmp_path):
    folder = str(tmp_path)
    assert converters.log_destination("access.log", folder) == f"{folder}/access.log"
    assert converters.log_destination("./stdot", folder) == f"{folder}/stdot"
    assert converters.log_destination("x/access.log", folder) == f"{folder}/x/access.log"  # the folder will be made
    assert why(converters.log_destination, ".", folder) == f"a folder, not a file: {folder}"


def test_a_misspelt_log_destination_makes_no_file():
    assert why(converters.log_destination, "stdot") == (
        '"stdot" is no destination; did you mean stdout? A file of that name is written ./stdot'
    )
    assert why(converters.log_destination, "syslog:deamon") == (
        'unknown facility of syslog: "deamon"; did you mean daemon?'
    )


@pytest.mark.parametrize("text", ["common", "combined", "json", r'%h "%r" \"%{Referer}i\" %>s'])
def test_log_formats(text):
    assert converters.log_format(text, "") == text


def test_wrong_log_formats():
    assert why(converters.log_format, "combned").endswith("; did you mean combined?")
    assert "%" in why(converters.log_format, "%h %?")


def test_a_section_without_arguments_has_the_defaults():
    assert Limits().header_timeout == 10.0
    assert Limits().body == 16 << 20
    assert Log() == Log(access="stdout", format="combined", error="stderr", level="info", slow="stderr", slow_after=5.0)
    assert [address.text for address in Server().listen] == ["127.0.0.1:8080"]
    with pytest.raises(FrozenInstanceError):
        Limits().body = 0  # type: ignore[misc]  # refused at run time as well


@pytest.mark.parametrize("section", [Server, Log, Limits])
def test_every_option_is_declared_with_a_help_and_a_default_that_can_be_read_back(section):
    options = declared(section)
    assert list(options) == list(section.__dataclass_fields__)
    for key, one in options.items():
        assert isinstance(one, Option)
        assert one.help.endswith(".")
        value = getattr(section(), key)
        assert one.convert(one.write(value), "/") == value
