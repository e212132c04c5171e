# What the tools share: the checkout's virtual environment. Sourced, not run.
#
# .venv is made on first use and brought up to date when setup.cfg or pyproject.toml changes. A stamp
# inside it names what is installed. An install that did not finish leaves a marker, and the next
# call starts again from nothing. Two calls at once wait for each other.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV=$ROOT/.venv
PYTHON=$VENV/bin/python

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$@"; exit 1; }

# Prints the first Python 3.11 on the path.
find_python() {
  local candidate
  for candidate in python3.11 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  die "expected Python 3.11 as python3.11 or python3, received $(python3 --version 2>&1 | tail -n 1)," \
    'install Python 3.11'
}

# What a finished install depends on: the settings, and where the checkout is.
fingerprint() {
  { printf '%s\n' "$ROOT"; cat "$ROOT/setup.cfg" "$ROOT/pyproject.toml"; } | cksum
}

# is_installed EXTRA: an install with the developers' packages serves everybody.
is_installed() {
  local want stamp
  want=$(fingerprint)
  [[ -x $PYTHON && ! -e $VENV/unfinished ]] || return 1
  for stamp in "$VENV/installed-dev" "$VENV/installed-$1"; do
    if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then return 0; fi
  done
  return 1
}

# ensure_venv base|dev: after it, $PYTHON runs the package from this checkout.
ensure_venv() {
  if is_installed "$1"; then return; fi
  local python
  python=$(find_python)
  exec 9>"$ROOT/.venv.lock"
  # The lock belongs to the open file, which pip inherits: it holds until the last of them has ended.
  "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
  if ! is_installed "$1"; then make_venv "$1" "$python"; fi
  exec 9>&-
}

# make_venv EXTRA PYTHON, under the lock.
make_venv() {
  local extra=$1 python=$2 log=$VENV/install.log target=$ROOT output
  if [[ -e $VENV/unfinished ]]; then
    say 'the last install was interrupted, starting again'
    rm -rf "$VENV"
  elif [[ -d $VENV ]] && ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
    rm -rf "$VENV"
  fi
  # What was installed for developers stays so: one environment serves all the tools.
  if [[ $extra == dev || -e $VENV/installed-dev ]]; then extra=dev target="$ROOT[dev]"; fi
  if [[ -d $VENV ]]; then
    say 'the settings have changed, updating .venv'
  else
    say 'installing into .venv (once; TensorFlow is large, this takes some minutes)'
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
      die "$python cannot make a virtual environment: install its venv package (python3.11-venv on Debian and Ubuntu)"
  fi
  mkdir -p "$VENV"
  touch "$VENV/unfinished"
  rm -f "$VENV"/installed-*
  if [[ ! -x $PYTHON ]] || ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
    output=$("$python" -m venv "$VENV" 2>&1) || die "expected a virtual environment in $VENV, received: $output"
  fi
  if ! (cd "$ROOT" && "$PYTHON" -m pip --disable-pip-version-check install -e "$target") >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "the install failed, its whole log is $log"
  fi
  fingerprint >"$VENV/installed-$extra"
  rm -f "$VENV/unfinished"
}

# What every Python of the project is run with; what the caller has set stays.
export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}
export TF_USE_LEGACY_KERAS=1
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
