# Drops the scratch databases that a killed process left on somebody else's server. Arguments: psql, and the server's
# connection URL without a password. Standard input is a pipe that only the guarded process holds: its first line is
# the password (may be empty), then `+NAME` for each database it creates, `-NAME` for each it has dropped itself, and
# `!NAME` for one to drop at once. At its end, what is still on the list is dropped. Names consist of a-z,
# 0-9 and _ only and begin with `whimbrel_`.
trap '' INT HUP TERM PIPE
cd / || exit 1
IFS= read -r password || exit 1
if [ -n "$password" ]; then
  PGPASSWORD=$password
  export PGPASSWORD
fi
PGCONNECT_TIMEOUT=10
export PGCONNECT_TIMEOUT

drop_database() {
  "$psql" --no-psqlrc --no-password --quiet --dbname "$url" \
    --command "DROP DATABASE IF EXISTS \"$1\" WITH (FORCE)" </dev/null >/dev/null 2>&1
}

psql=$1
url=$2
left=' '
while IFS= read -r line; do
  name=${line#?}
  case $line in
    +whimbrel_*) left="$left$name " ;;
    -whimbrel_*) left="${left%% "$name" *} ${left#* "$name" }" ;;
    !whimbrel_*) drop_database "$name" ;;
  esac
done
for name in $left; do
  drop_database "$name"
done
