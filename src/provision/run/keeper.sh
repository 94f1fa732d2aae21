# Keeps the server of one run of tests for as long as the run lasts. Arguments: the run's folder, the number and the
# start of the process that the run ends with (empty: none is known), and for how many looks, two a second, nobody may
# use the server before it is removed (0: only the end of that process counts). Standard output is the pipe that keeps
# the server's supervisor waiting, and this process is the only one that holds it: when it ends, in whatever way, the
# supervisor removes the server.
trap '' INT HUP TERM PIPE
folder=$1
parent=$2
parent_started=$3
looks=$4
cd "$folder" || exit 1

is_alive() {
  when_started "$1" && [ "$started" = "$2" ]
}

# Tells whether a process that uses the server is alive, and forgets those that are not.
anybody() {
  found=1
  for lease in leases/*; do
    { IFS= read -r since <"$lease"; } 2>/dev/null || continue
    if is_alive "${lease##*/}" "$since"; then found=0; else rm -f "$lease"; fi
  done
  return $found
}

# Has the databases dropped that killed processes left on somebody else's server.
drop_databases_of_the_dead() {
  for file in databases/*; do
    { IFS=' ' read -r process since <"$file"; } 2>/dev/null || continue
    [ "$process" != run ] || continue
    if ! is_alive "$process" "$since"; then
      printf '!%s\n' "${file##*/}"
      rm -f "$file"
    fi
  done
}

unused=0
while :; do
  # A folder that somebody removed cannot bring anybody here.
  [ -e keeper ] || break
  [ -z "$parent" ] || is_alive "$parent" "$parent_started" || break
  drop_databases_of_the_dead
  if [ "$looks" -gt 0 ]; then
    if anybody; then
      unused=0
    else
      unused=$((unused + 1))
    fi
    if [ "$unused" -gt "$looks" ]; then
      # Whoever comes writes a lease and then looks for this file; we write the file and then look for leases. So at
      # least one of us sees the other.
      : >closing
      anybody || break
      rm -f closing
      unused=0
    fi
  fi
  # Not with our end of the pipe, which would outlive us for as long as it sleeps.
  sleep 0.5 >/dev/null
done
: >closing
for file in databases/*; do
  [ ! -f "$file" ] || printf '+%s\n' "${file##*/}"
done
# One step, so that whoever comes finds either this folder with its `closing` or none.
cd / && mv "$folder" "$folder.ended" 2>/dev/null && rm -rf "$folder.ended"
