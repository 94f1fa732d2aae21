# Owns one private PostgreSQL server from initdb to the last removed file. Arguments: the directory of the server
# binaries, the directory for temporary files, this machine as `process.rs` names it, and the ports to try in turn.
# Standard input is a pipe that only one process holds, the one that started this or the run's keeper: its first line
# is the superuser's password, and its end, for whatever reason, is the order to stop and remove everything. Standard
# output tells: `directory PATH`, then `port NUMBER` or `failed`.
trap '' INT HUP TERM PIPE
umask 077
cd / || exit 1
LC_ALL=C
export LC_ALL
# These belong to the user's own servers.
unset PGDATA PGPORT PGHOST PGOPTIONS PGCLIENTENCODING PGDATESTYLE PGTZ
IFS= read -r password || exit 1
binaries=$1
temporary=$2
machine=$3
shift 3

directory=
for base in "$temporary" /tmp /var/tmp; do
  directory=$(mktemp -d "$base/whimbrel-XXXXXX" 2>/dev/null) && break
done
[ -n "$directory" ] || exit 1
data=$directory/data
log=$directory/log
# Whoever finds this directory later can tell whether somebody still looks after it.
when_started $$ && printf '%s %s %s\n' $$ "$started" "$machine" >"$directory/owner"
printf 'directory %s\n' "$directory"

make_cluster() {
  printf '%s\n' "$password" >"$directory/password"
  for locale in C.UTF-8 en_US.UTF-8 C; do
    if "$binaries/initdb" -D "$data" --username=postgres --pwfile="$directory/password" --auth=scram-sha-256 \
      --encoding=UTF8 --locale="$locale" --no-sync </dev/null >"$log" 2>&1; then
      rm -f "$directory/password"
      # Nothing here has to survive a crash, and nobody but this machine may knock.
      cat >>"$data/postgresql.conf" <<'SETTINGS'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
max_locks_per_transaction = 256
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
logging_collector = off
jit = off
log_destination = 'stderr'
SETTINGS
      return 0
    fi
    rm -rf "$data"
  done
  return 1
}

start_on_a_free_port() {
  for port in "$@"; do
    : >"$log"
    if "$binaries/pg_ctl" -D "$data" -l "$log" -w -t 60 -o "-p $port" start </dev/null >"$directory/pg_ctl.log" 2>&1; then
      printf 'port %s\n' "$port"
      return 0
    fi
    grep -q 'Address already in use' "$log" || return 1
  done
  return 1
}

remove_everything() {
  if [ -s "$data/postmaster.pid" ]; then
    server=$(head -n 1 "$data/postmaster.pid")
    # Immediate at once: nobody reads this data again, so no checkpoint has to be waited for.
    "$binaries/pg_ctl" -D "$data" -w -t 15 -m immediate stop </dev/null >/dev/null 2>&1 || kill -9 "$server" 2>/dev/null
  fi
  rm -rf "$directory" 2>/dev/null || { sleep 1; rm -rf "$directory" 2>/dev/null; }
}

if ! { make_cluster && start_on_a_free_port "$@"; }; then
  printf 'failed\n'
fi
while IFS= read -r _; do :; done
remove_everything
