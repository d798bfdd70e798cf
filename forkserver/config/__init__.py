"""The configuration: the language of its file, the options, and the frozen `Config` of one generation.

`options.py` declares what can be said, `converters.py` and `addresses.py` how a value is read, `ini.py` how a file is
written, `sources.py` which files there are, `build.py` makes a Config of them and `describe.py` tells it to a person.
Nothing here knows what the values are used for.
"""

from forkserver.config.build import FIXED, Config, Kinds, Mount, load, parse, section_of
from forkserver.config.ini import ConfigError

__all__ = ["FIXED", "Config", "ConfigError", "Kinds", "Mount", "load", "parse", "section_of"]
