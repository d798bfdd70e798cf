"""How the application is found, and what is told to who deploys one that cannot be."""

from __future__ import annotations

import os
import queue
import sys
from wsgiref.simple_server import demo_app

import pytest

from forkserver.apps import loading
from forkserver.apps.app import AppError
from forkserver.apps.wsgi import Wsgi, WsgiOptions
from tests.apps.wsgi_calls import Taken, call_of


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Nothing of what a test imports or sets is there for the next."""
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(loading, "_GIVEN", {})
    variables = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(variables)
    for name in set(sys.modules) - modules:
        del sys.modules[name]


APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [__name__.encode()]
"""


@pytest.fixture
def folder(tmp_path):
    """A folder to import from; `folder(name, text)` writes a file."""

    def write(name, text=APPLICATION):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return str(file)

    write.path = str(tmp_path)
    return write


def loaded(target, *path, prefix="/shop", **options):
    app = Wsgi(WsgiOptions(wsgi=target, path=path, **options), prefix)
    app.load()
    return app


def why_not(target, *path, **options):
    """What is told when an application cannot be loaded."""
    with pytest.raises(AppError) as caught:
        loaded(target, *path, **options)
    assert caught.value.__cause__ is None
    return str(caught.value)


def answer_of(app):
    call = call_of()
    return Taken(call, app.respond(call)).body.decode()


def test_a_module_alone_has_an_application(folder):
    folder("first_site.py")
    assert answer_of(loaded("first_site", folder.path)) == "first_site"


def test_a_module_in_a_package_and_an_attribute_below_another(folder):
    folder("outer/__init__.py", "")
    folder(
        "outer/inner.py", f"class Site:\n    class deep: pass\n{APPLICATION}\nSite.deep.app = staticmethod(application)"
    )
    assert answer_of(loaded("outer.inner:Site.deep.app", folder.path)) == "outer.inner"


def test_what_is_installed_needs_no_path():
    assert "Hello world!" in answer_of(loaded("wsgiref.simple_server:demo_app"))
    assert loaded("wsgiref.simple_server:demo_app")._application is demo_app


def test_a_factory_is_called_once(folder):
    folder("made.py", f"calls = []\n{APPLICATION}\ndef make():\n    calls.append(1)\n    return application")
    assert answer_of(loaded("made:make()", folder.path)) == "made"
    assert sys.modules["made"].calls == [1]


def test_classes_and_objects_are_applications(folder):
    folder(
        "callables.py",
        """
class Site:
    def __init__(self, environ, start_response):
        start_response("200 OK", [])
    def __iter__(self):
        return iter([b"class"])
class Callable:
    def __call__(self, *both):
        both[1]("200 OK", [])
        return [b"object"]
application = Callable()
""",
    )
    assert answer_of(loaded("callables:Site", folder.path)) == "class"
    assert answer_of(loaded("callables", folder.path)) == "object"


def test_folders_come_first_in_their_order(folder):
    for name in ("one", "two"):
        folder(f"{name}/which.py", f"from {name}_only import *\n{APPLICATION}")
        folder(f"{name}/{name}_only.py", "")
    paths = [f"{folder.path}/{name}" for name in ("one", "two")]
    sys.path.append(paths[1])
    app = loaded("which", *paths)
    assert sys.path[:2] == paths
    assert sys.path.count(paths[1]) == 1
    assert sys.modules["which"].__file__.startswith(paths[0])
    assert app


def test_variables_are_set_before_the_import_and_for_good(folder):
    folder("sees.py", f"import os\nseen = os.environ['SEES_MODE']\n{APPLICATION}")
    loaded("sees", folder.path, env=(("SEES_MODE", "live"),))
    assert sys.modules["sees"].seen == "live"
    assert os.environ["SEES_MODE"] == "live"


def test_two_mounts_may_give_one_variable_one_value(folder):
    folder("one.py")
    for prefix in ("/a", "/b"):
        loaded("one", folder.path, prefix=prefix, env=(("MODE", "live"),))


def test_two_values_for_one_variable_are_refused_without_telling_them(folder):
    folder("one.py")
    loaded("one", folder.path, prefix="/a", env=(("PASSWORD", "secret"),))
    why = why_not("one", folder.path, prefix="/b", env=(("PASSWORD", "hidden"),))
    assert why.startswith("env: [/a] gives PASSWORD another value")
    assert "secret" not in why
    assert "hidden" not in why
    assert os.environ["PASSWORD"] == "secret"


def test_the_working_directory_stays(folder):
    before = os.getcwd()
    folder("stay.py")
    loaded("stay", folder.path)
    assert os.getcwd() == before


def test_a_module_that_is_not_there(folder):
    folder("project.py")
    why = why_not("projct:app", folder.path)
    assert why.startswith("there is no module projct; did you mean project?; looked in ")
    assert folder.path in why
    assert "did you mean" not in why_not("jsom:app", folder.path)  # json is nobody's application
    assert "path = FOLDER names the folder that it is in" in why_not("surely_not_there:app")


def test_a_module_that_is_not_in_its_package(folder):
    home = folder("parcel/__init__.py", "")
    folder("parcel/wsgi.py")
    assert why_not("parcel.wsgy", folder.path) == f"the package parcel ({home}) has no module wsgy; did you mean wsgi?"


def test_a_module_is_no_package(folder):
    home = folder("flat.py")
    assert why_not("flat.wsgi", folder.path) == f"flat ({home}) is a module, not a package, so there is no flat.wsgi"


def test_a_package_without_an_init(folder):
    folder("loose/wsgi.py")
    assert answer_of(loaded("loose.wsgi", folder.path)) == "loose.wsgi"
    assert f"the package loose ({folder.path}/loose) has no module other" in why_not("loose.other", folder.path)


def test_an_attribute_that_is_not_there(folder):
    home = folder("lacking.py")
    assert why_not("lacking:aplication", folder.path) == (
        f"lacking ({home}) has no attribute aplication; did you mean application?"
    )
    assert f"lacking.application ({home}) has no attribute wsgi" in why_not("lacking:application.wsgi", folder.path)


def test_an_attribute_of_the_other_usual_name(folder):
    folder("flasky.py", "app = print\n")
    assert why_not("flasky", folder.path).endswith(" has no attribute application; did you mean app?")
    folder("djangoish.py", "application = print\n")
    assert why_not("djangoish:app", folder.path).endswith(" has no attribute app; did you mean application?")
    assert why_not("djangoish:site", folder.path).endswith(" has no attribute site")


def test_an_import_that_raises_shows_the_applications_own_trace(folder):
    inner = folder("broken_settings.py", "def read():\n    return {}['SECRET_KEY']\n")
    outer = folder("broken.py", "import broken_settings\nbroken_settings.read()\n")
    why = why_not("broken", folder.path)
    lines = why.splitlines()
    assert lines[:2] == ["broken cannot be imported:", "Traceback (most recent call last):"]
    assert lines[-1] == "KeyError: 'SECRET_KEY'"
    files = [line.split('"')[1] for line in lines if line.startswith("  File")]
    assert files == [outer, inner]


def test_a_module_that_the_application_misses_is_shown_where_it_is_imported(folder):
    outer = folder("needs.py", "import surely_not_installed\n")
    lines = why_not("needs", folder.path).splitlines()
    assert lines[0] == "needs cannot be imported:"
    assert f'File "{outer}", line 1' in lines[2]
    assert lines[-1] == "ModuleNotFoundError: No module named 'surely_not_installed'"


def test_a_file_that_is_no_python(folder):
    home = folder("spelt.py", "def application(environ, start_response)\n    pass\n")
    why = why_not("spelt", folder.path)
    assert f'File "{home}", line 1' in why
    assert "SyntaxError: expected ':'" in why
    assert "importlib" not in why


def test_causes_are_cut_likewise(folder):
    folder(
        "chained.py",
        """
try:
    import surely_not_installed
except ImportError as error:
    raise RuntimeError("install it") from error
""",
    )
    why = why_not("chained", folder.path)
    assert "ModuleNotFoundError" in why
    assert why.endswith("RuntimeError: install it")
    assert "importlib" not in why
    assert loading.__file__ not in why


def test_a_module_that_leaves(folder):
    folder("leaves.py", "import sys\nsys.exit('not today')\n")
    assert why_not("leaves", folder.path).endswith("SystemExit: not today")


def test_a_factory_that_raises(folder):
    home = folder("fails.py", "def make():\n    raise RuntimeError('no database')\n")
    why = why_not("fails:make()", folder.path)
    assert why.startswith("fails:make() failed:\nTraceback")
    assert f'File "{home}", line 2, in make' in why
    assert why.endswith("RuntimeError: no database")
    assert loading.__file__ not in why


def test_a_factory_that_needs_arguments(folder):
    folder("wants.py", "def make(config):\n    pass\n")
    assert "missing 1 required positional argument: 'config'" in why_not("wants:make()", folder.path)


def test_an_attribute_that_raises(folder):
    folder("lazy.py", "def __getattr__(name):\n    raise RuntimeError(f'no {name} today')\n")
    assert why_not("lazy", folder.path).endswith("RuntimeError: no application today")


@pytest.mark.parametrize(
    ("text", "target", "why"),
    [
        ("application = None", "odd", "odd:application is None, which cannot be called"),
        ("application = 'x'", "odd", "odd:application is a thing of type str, which cannot be called"),
        ("import os as application", "odd", "odd:application is a module; name the application in it"),
        ("def make(): pass", "odd:make()", "odd:make() is None, which cannot be called"),
        (
            "made = 1",
            "odd:made()",
            "odd:made is a thing of type int, which cannot be called; write odd:made without ()",
        ),
        ("async def application(scope, receive, send): pass", "odd", "odd:application is asynchronous: an ASGI"),
        ("class A:\n  async def __call__(self, a, b, c): pass\napplication = A()", "odd", "is asynchronous: an ASGI"),
        ("def make(): pass", "odd:make", "does not take the two arguments of a WSGI application; if it makes the"),
        ("def make(): pass", "odd:make", "write odd:make()"),
        ("def make(): return lambda: 1", "odd:make()", "odd:make() does not take the two arguments"),
    ],
)
def test_what_is_no_application(folder, text, target, why):
    folder("odd.py", text)
    assert why in why_not(target, folder.path)


def test_what_does_not_tell_its_arguments_is_believed(folder):
    folder("silent.py", "application = type\n")
    assert loaded("silent", folder.path)._application is type


def test_two_applications_may_not_have_modules_of_one_name(folder):
    first, second = folder("one/twin.py"), folder("two/twin.py")
    loaded("twin", f"{folder.path}/one")
    why = why_not("twin", f"{folder.path}/two")
    assert why.startswith(f"twin is imported already, from {first}, and not from {second}: ")


def test_one_application_at_two_mounts(folder):
    folder("shared.py")
    one, other = (loaded("shared", folder.path, prefix=prefix) for prefix in ("/a", "/b"))
    assert one._application is other._application


def test_a_name_of_the_standard_library_is_taken(folder):
    home = folder("queue.py")
    assert why_not("queue", folder.path).startswith(
        f"queue is imported already, from {queue.__file__}, and not from {home}"
    )
