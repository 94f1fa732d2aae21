"""One version's part of scripts/older-sqlite: VERSION MODULE FOLDER."""

import importlib
import json
import math
import pathlib
import shutil
import sys

version, module_name, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
sqlite = importlib.import_module(module_name)
number = tuple(map(int, version.split(".")))
wrong = []


def connect(path):
    if module_name == "apsw":
        return sqlite.Connection(str(path))
    return sqlite.connect(str(path), isolation_level=None)


def ask(connection, sql):
    cursor = connection.cursor()
    cursor.execute(sql)
    return cursor.fetchall()


def typed(value):
    if value is None:
        return None
    if isinstance(value, str):
        return ["text", value]
    if isinstance(value, int):
        return ["integer", value]
    return ["real", value] if isinstance(value, float) else ["blob", list(value)]


def same(expected, given):
    """Sums of doubles end in other digits from version to version."""
    if expected is None or given is None or expected[0] != "real":
        return expected == given
    return given[0] == "real" and math.isclose(float(expected[1]), given[1], rel_tol=1e-12)


def answers(connection, question):
    given = [typed(value) for row in ask(connection, question["sql"]) for value in row]
    if len(given) != len(question["answer"]):
        return "%d values, not %d" % (len(given), len(question["answer"]))
    for place, (expected, value) in enumerate(zip(question["answer"], given)):
        if not same(expected, value):
            return "value %d is %r, not %r" % (place, value, expected)
    return None


def difference(connection, question):
    try:
        return answers(connection, question)
    except Exception as error:
        return str(error)


def read_bank():
    bank = json.loads((folder / "bank.json").read_text())
    connection = connect(":memory:")
    given = ask(connection, "SELECT sqlite_version()")[0][0]
    if given != version:
        sys.exit("older-sqlite: this Python has SQLite %s where %s was built for it" % (given, version))
    for statement in bank["setup"]:
        ask(connection, statement)
    for question in bank["questions"]:
        found = difference(connection, question)
        if found:
            wrong.append("%s: %s\n    %s" % (question["name"], found, question["sql"]))
    for construct in bank["later"]:
        has = difference(connection, construct) is None
        should = number >= tuple(map(int, construct["since"].split(".")))
        if has != should:
            wrong.append("%s is said to be of %s" % (construct["name"], construct["since"]))
    return len(bank["questions"]), len(bank["later"])


def quoted(name):
    return '"%s"' % name.replace('"', '""')


def read_file(path):
    """The file as the program's own version reads it is beside it: path.json."""
    copy = folder / "copy.db"
    shutil.copyfile(path, copy)
    connection = connect(copy)
    expected = json.loads(path.with_suffix(".json").read_text())
    integrity = [row[0] for row in ask(connection, "PRAGMA integrity_check")]
    if integrity != ["ok"]:
        wrong.append("%s: %s" % (path.name, integrity[:3]))
    for question in expected["questions"]:
        found = difference(connection, question)
        if found:
            wrong.append("%s: %s: %s" % (path.name, question["sql"], found))
    for insert in expected["inserts"]:
        try:
            given = None
            ask(connection, insert["sql"])
        except Exception as error:
            given = str(error)
        if (given is None) != insert["taken"]:
            wrong.append("%s: %s: %s" % (path.name, insert["sql"], given or "taken"))
    connection.close()
    return len(expected["questions"])


questions, constructs = read_bank()
files = sorted(folder.glob("*.db.file"))
read = sum(read_file(path) for path in files)
for line in wrong[:40]:
    print("%s: %s" % (version, line))
print(
    "SQLite %s: %d questions, %d constructs, %d files with %d tables and views: %s"
    % (version, questions, constructs, len(files), read, "%d differ" % len(wrong) if wrong else "all alike")
)
sys.exit(1 if wrong else 0)
