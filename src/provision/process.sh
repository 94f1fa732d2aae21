# Sets `started` to the moment at which process $1 started, in the words of `process.rs`, or fails where it is gone.
when_started() {
  if [ -r /proc/self/stat ]; then
    { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The second field, a name in parentheses, may hold anything. Several words on purpose.
    # shellcheck disable=SC2086
    set -- ${line##*) }
    case $1 in Z | X) return 1 ;; esac
    shift 19
    started=$1
  else
    line=$(TZ=UTC0 LC_ALL=C ps -o stat= -o lstart= -p "$1" 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    set -- $line
    case $1 in Z*) return 1 ;; esac
    shift
    started=$(IFS=_ && printf '%s' "$*")
  fi
}

