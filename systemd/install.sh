#!/bin/sh
# Installs forkserver from this source tree as a systemd service, upgrades it, or takes it away again.
#
# Each version lives in a folder of its own under /opt/forkserver, and one renamed symbolic link puts it into use: a
# failure before that changes nothing, and a server that runs on keeps the files it started from.
set -eu
umask 022

opt=/opt/forkserver
etc=/etc/forkserver
logs=/var/log/forkserver
state=/var/lib/forkserver
units=/usr/local/lib/systemd/system     # systemd's place for what an administrator installs; drop-ins go to /etc
rotation=/etc/logrotate.d/forkserver
command=/usr/local/bin/forkserver
manual=/usr/local/share/man
account=forkserver

usage() {
    cat <<END
Usage: install.sh [--python PATH]      install or upgrade
       install.sh --uninstall [--purge]

  --python PATH   the interpreter, 3.10 or later (default: /usr/bin/python3, else python3)
  --uninstall     remove what was installed; keep $etc, $logs, $state and the user
  --purge         with --uninstall: remove these too
  --help          this text

Needs root.  pip's own settings (PIP_INDEX_URL, PIP_NO_INDEX, PIP_FIND_LINKS, pip.conf …) are honoured.
END
}

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

with_systemd() {        # systemctl, where systemd runs; nothing elsewhere (a container image, a chroot)
    [ ! -d /run/systemd/system ] || systemctl --quiet "$@"
}

choose_python() {
    [ -n "$python" ] || python=$(command -v /usr/bin/python3 || command -v python3) ||
        fail "no python3 found; name one with --python PATH"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$python is missing or older than Python 3.10"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments; on Debian: apt-get install python3-venv"
    prefix=$("$python" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')
    case $prefix/ in
        /root/* | /home/* | /tmp/* | /var/tmp/*)
            fail "$python lives in $prefix, which the service cannot see; name another with --python PATH" ;;
    esac
}

clean_up() {
    rm -rf "$scratch"
    [ -z "$release" ] || rm -rf "$release"
}

build_release() {
    scratch=$(mktemp -d)
    release=
    trap clean_up EXIT
    trap 'exit 1' HUP INT TERM
    mkdir -p "$opt"
    release=$(mktemp -d "$opt/release.XXXXXX")
    chmod 755 "$release"
    # setuptools writes beside the sources: let it do so in a copy.
    mkdir "$scratch/source"
    cp -R "$source/forkserver" "$source/setup.cfg" "$source/pyproject.toml" "$source/README.md" "$source/LICENSE" \
        "$scratch/source/"
    "$python" -m venv "$release"
    "$release/bin/python" -m pip install --quiet --no-cache-dir "$scratch/source"
    mkdir "$release/shipped"
    sed -e 's|\.\./var/log|/var/log/forkserver|' -e 's|\.\./var/run|/run/forkserver|' "$source/conf/server.ini" \
        >"$release/shipped/server.ini"
    cp "$source/systemd/forkserver.service" "$source/systemd/forkserver.socket" "$source/systemd/port80.conf" \
        "$source/systemd/forkserver.logrotate" "$release/shipped/"
    cp "$source/README.md" "$source/docs/forkserver.1" "$source/docs/forkserver.ini.5" "$release/"
}

make_account() {
    id -u "$account" >/dev/null 2>&1 ||
        useradd --system --user-group --no-create-home --home-dir "$state" --shell /usr/sbin/nologin "$account"
    # systemd makes these at the first start; logrotate and a check of the configuration may come before that.
    install -d -o "$account" -g "$account" -m 0750 "$logs" "$state"
}

# place NAME TARGET: puts the shipped file there, unless the one there was edited since we put it.
place() {
    shipped=$release/shipped/$1
    if [ ! -e "$2" ] || cmp -s "$2" "$opt/current/shipped/$1"; then
        install -m 644 "$shipped" "$2.new"
        mv "$2.new" "$2"
    elif cmp -s "$2" "$shipped"; then
        rm -f "$2.new"
    else
        say "Kept your $2; the new one is $opt/current/shipped/$1"
        [ "$2" != "$etc/server.ini" ] || install -m 644 "$shipped" "$2.new"
    fi
}

configure() {
    mkdir -p "$etc"
    [ -e "$etc/site" ] || cp -R "$source/conf/site" "$etc/site"
    place server.ini "$etc/server.ini"
    "$release/bin/forkserver" check "$etc/server.ini" ||
        fail "this version refuses $etc/server.ini: mend it and run me again; nothing was switched"
}

switch() {
    previous=$(readlink "$opt/current" || true)
    ln -sfn "$(basename "$release")" "$opt/current.new"
    mv -T "$opt/current.new" "$opt/current"
    ln -sfn current/bin "$opt/bin"
    for old in "$opt"/release.*; do
        # A server still running needs the release before this one until its next restart.
        case $(basename "$old") in "$(basename "$release")" | "$previous") ;; *) rm -rf "$old" ;; esac
    done
    release=
}

# For the person at the shell: the command on PATH, and its pages for man(1).
offer() {
    mkdir -p "$(dirname "$command")" "$manual/man1" "$manual/man5"
    if [ ! -e "$command" ] || [ "$(readlink "$command")" = "$opt/bin/forkserver" ]; then
        ln -sfn "$opt/bin/forkserver" "$command"
    else
        say "Kept your $command; ours is $opt/bin/forkserver"
    fi
    ln -sfn "$opt/current/forkserver.1" "$manual/man1/forkserver.1"
    ln -sfn "$opt/current/forkserver.ini.5" "$manual/man5/forkserver.ini.5"
}

install_forkserver() {
    [ -r "$source/setup.cfg" ] && [ -d "$source/forkserver" ] || fail "$source is not forkserver's source tree"
    choose_python
    say "Building under $opt with $("$python" --version) …"
    build_release
    make_account
    configure
    mkdir -p "$units" "$(dirname "$rotation")"
    install -m 644 "$release/shipped/forkserver.service" "$units/forkserver.service"
    place forkserver.logrotate "$rotation"
    switch
    offer
    with_systemd daemon-reload
    say "Installed $("$opt/bin/forkserver" --version).  Configuration: $etc/server.ini   Pages: $etc/site   Logs: $logs"
    if [ -d /run/systemd/system ] && systemctl --quiet is-active forkserver.service; then
        say "The old version still serves; to put this one into use: systemctl restart forkserver"
    else
        say "Now:            systemctl start forkserver"
        say "At every boot:  systemctl enable forkserver"
    fi
}

uninstall_forkserver() {
    if [ -e "$units/forkserver.service" ]; then
        with_systemd disable --now forkserver.service
    fi
    if [ -e /etc/systemd/system/forkserver.socket ]; then
        with_systemd disable --now forkserver.socket
        rm -f /etc/systemd/system/forkserver.socket
    fi
    [ "$(readlink "$command")" != "$opt/bin/forkserver" ] || rm -f "$command"
    rm -rf "$opt"
    rm -f "$units/forkserver.service" "$rotation" "$manual/man1/forkserver.1" "$manual/man5/forkserver.ini.5"
    if [ -n "$purge" ]; then
        rm -rf "$etc" "$logs" "$state" /etc/systemd/system/forkserver.service.d
        ! id -u "$account" >/dev/null 2>&1 || userdel "$account"
        say "Removed forkserver with its configuration, logs and user."
    else
        say "Removed forkserver; kept $etc, $logs, $state and the user $account (--purge removes them)."
    fi
    with_systemd daemon-reload
}

python='' verb=install_forkserver purge=''
while [ $# -gt 0 ]; do
    case $1 in
        --python) [ $# -gt 1 ] || fail "--python needs a path"; python=$2; shift ;;
        --uninstall) verb=uninstall_forkserver ;;
        --purge) purge=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
[ "$verb" = uninstall_forkserver ] || [ -z "$purge" ] || fail "--purge goes with --uninstall"
[ "$(id -u)" -eq 0 ] || fail "needs root"
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
"$verb"
