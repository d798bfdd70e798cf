"""install.sh and the unit, tried in a Debian booted with systemd as PID 1.  Needs root: `make system`."""
