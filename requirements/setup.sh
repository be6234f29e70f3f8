#!/usr/bin/env bash
# Make the virtual environment from pinned hashes: setup.sh PYTHON VENV REQUIREMENTS
set -euo pipefail
python=$1 venv=$2 requirements=$3

fail() {
  echo "setup: $*" >&2
  exit 1
}

[[ -n $python ]] || fail "no Python found: install Python 3.11 or newer, or name it: make setup PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old: Seatrial needs Python 3.11 or newer; name it: make setup PYTHON=/path/to/python3.11"

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  package="python$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')-venv"
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "setup: installing $package"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
  else
    fail "$python can't make virtual environments: install the package $package, then run make setup again"
  fi
fi

if [[ ! -x $venv/bin/pip ]] || ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi
echo "setup: installing $requirements into $venv"
# The list is complete, so nothing is resolved: an older pip would take the newest release of a package that is asked for with an extra.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$requirements"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable ./instrument
"$venv/bin/pip" check --disable-pip-version-check
