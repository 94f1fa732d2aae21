# Removes one container when its user is gone. Arguments: the container's name, the program to remove it with (`docker`
# or `curl`), and the engine's address. Standard input is a pipe that only the user of the container holds: after a
# first line without meaning, its end, for whatever reason, is the order to remove the container and its volume.
trap '' INT HUP TERM PIPE
cd / || exit 1
IFS= read -r _ || exit 1
name=$1
program=$2
DOCKER_HOST=$3
export DOCKER_HOST

# Tells whether there was a container to remove.
remove_container() {
  case $program in
    */curl)
      "$program" --silent --show-error --fail --max-time 60 --unix-socket "${DOCKER_HOST#unix://}" --request DELETE \
        "http://localhost/containers/$name?force=true&v=true" </dev/null >/dev/null 2>&1
      ;;
    # It succeeds where there is no such container, too, but then it does not tell the name.
    *) [ -n "$("$program" rm --force --volumes "$name" </dev/null 2>/dev/null)" ] ;;
  esac
}

while IFS= read -r _; do :; done
# A user that was killed while the engine made the container: it appears a moment later.
for _ in 1 2 3 4; do
  remove_container && exit 0
  sleep 1
done
