"""The errands of psycopg 3 through a gateway: a line of JSON for each. Where to go stands in libpq's own variables."""

import json
import sys
import threading

import psycopg


def tell(errand, value=None):
    print(json.dumps({"errand": errand, "value": value}), flush=True)


def refusal(work):
    try:
        work()
    except psycopg.Error as error:
        return error.sqlstate or str(error)
    return "nothing was refused"


def one(conn, text, values=None):
    return conn.execute(text, values).fetchone()[0]


def parameters(conn):
    return list(conn.execute("select %s::int + 1, %s::text, %s::text", (41, "é", None)).fetchone())


def binary(conn):
    text = "select %b::int8, 1.50::numeric, '\\x00ff'::bytea, '{1,2}'::int[]"
    number, decimal, blob, array = conn.cursor(binary=True).execute(text, (7,)).fetchone()
    return [number, str(decimal), bytes(blob).hex(), array]


def prepared(conn):
    answers = [conn.execute("select %s::int * 2", (n,), prepare=True).fetchone()[0] for n in range(10)]
    return [sum(answers), one(conn, "select count(*) > 0 from pg_prepared_statements")]


def batch(conn):
    conn.execute("create temp table batch (a int)")
    with conn.pipeline():
        for n in range(500):
            conn.execute("insert into batch values (%s)", (n,))
    return one(conn, "select count(*)::int from batch")


def copy(conn):
    conn.execute("create temp table copied (a int, b text)")
    with conn.cursor().copy("copy copied from stdin (format binary)") as copying:
        copying.set_types(["int4", "text"])
        for n in range(5_000):
            copying.write_row((n, f"row {n}"))
    with conn.cursor().copy("copy copied from stdin") as copying:
        for n in range(5_000):
            copying.write_row((n, f"row {n}"))
    with conn.cursor().copy("copy copied to stdout") as copying:
        return sum(1 for _ in copying.rows())


def cursor(conn):
    with conn.transaction(), conn.cursor(name="reading") as reading:
        reading.itersize = 100
        return sum(1 for _ in reading.execute("select generate_series(1, 1000)"))


def error(conn):
    conn.execute("begin")
    first = refusal(lambda: conn.execute("select 1 / %s::int", (0,)))
    second = refusal(lambda: conn.execute("select 1"))
    conn.execute("rollback")
    return [first, second, one(conn, "select 1")]


def notice(conn):
    heard = []
    conn.add_notice_handler(lambda diagnostic: heard.append(diagnostic.message_primary))
    conn.execute("do $$ begin raise notice 'high water'; end $$")
    return heard[0]


def notification(conn):
    heard = []
    conn.add_notify_handler(lambda notification: heard.append([notification.channel, notification.payload]))
    conn.execute("listen tide")
    conn.execute("notify tide, 'out'")
    conn.execute("select 1")
    return heard[0]


def large(conn):
    return len(one(conn, "select repeat('x', 20000000)"))


def cancel(conn):
    def when_told():
        sys.stdin.readline()
        conn.cancel()

    canceller = threading.Thread(target=when_told)
    canceller.start()
    tell("asleep")
    refused = refusal(lambda: conn.execute("select pg_sleep(600)"))
    canceller.join()
    return [refused, one(conn, "select 1")]


def wait(conn):
    """One session runs a statement, and one is idle, when access ends."""
    idle = psycopg.connect(autocommit=True)
    tell("waiting")
    try:
        conn.execute("select pg_sleep(600)")
    except psycopg.Error as refused:
        tell("ended", [refused.sqlstate, str(refused)])
    try:
        idle.execute("select 1")
    except psycopg.Error as refused:
        tell("idle", [refused.sqlstate, str(refused)])
    try:
        psycopg.connect()
    except psycopg.Error as refused:
        tell("again", str(refused))


if __name__ == "__main__":
    connection = psycopg.connect(autocommit=True)
    version = psycopg.pq.version()
    tell("version", f"psycopg {psycopg.__version__}, libpq {version // 10000}.{version % 10000}")
    if sys.argv[1] == "errands":
        for errand in [
            parameters, binary, prepared, batch, copy, cursor, error, notice, notification, large, cancel,
        ]:
            tell(errand.__name__, errand(connection))
    wait(connection)
