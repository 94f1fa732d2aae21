# Owns one PostgreSQL container from `docker run` to `docker rm`. Arguments: the container's name, the image, and the
# address to publish the port on. Standard input is a pipe that only the starting process holds: its first line is the
# superuser's password, and its end, for whatever reason, is the order to remove the container and its volume.
# Standard output tells: `port NUMBER`, or `failed CAUSE`.
trap '' INT HUP TERM PIPE
cd / || exit 1
IFS= read -r POSTGRES_PASSWORD || exit 1
export POSTGRES_PASSWORD
name=$1
image=$2
address=$3

start() {
  # The password travels in the environment, not in the arguments, which every user of the machine can read.
  answer=$(docker run --detach --name "$name" --pull never --publish "$address::5432" --shm-size 256m \
    --env POSTGRES_PASSWORD --env POSTGRES_USER=postgres --env POSTGRES_DB=postgres \
    --env POSTGRES_INITDB_ARGS='--encoding=UTF8 --locale=C.UTF-8 --no-sync' "$image" \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c wal_level=minimal -c max_wal_senders=0 \
    -c max_connections=100 -c max_locks_per_transaction=256 </dev/null 2>&1) || return 1
  answer=$(docker port "$name" 5432/tcp </dev/null 2>&1) || return 1
  # One line per address family.
  answer=$(printf '%s\n' "$answer" | head -n 1)
  printf 'port %s\n' "${answer##*:}"
}

start || printf 'failed %s\n' "$(printf '%s' "$answer" | tr '\n' ' ')"
while IFS= read -r _; do :; done
docker rm --force --volumes "$name" </dev/null >/dev/null 2>&1 ||
  { sleep 1; docker rm --force --volumes "$name" </dev/null >/dev/null 2>&1; }
