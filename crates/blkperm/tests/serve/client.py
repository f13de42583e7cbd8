"""A client of QEMU's own library, with the path of a socket: prints what it is told."""

import asyncio
import json
import sys

from qemu.qmp import ExecuteError, QMPClient


def node(name, **options):
    """A node of nothing."""
    return {"driver": "null-co", "node-name": name, "size": 1 << 20, "read-zeroes": True, **options}


async def ask(qmp, command, **arguments):
    """Prints the command, and what it returns or is refused with."""
    arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
    try:
        answer = await qmp.execute(command, arguments)
    except ExecuteError as error:
        answer = f"{error.error_class}: {error}"
    print(command, json.dumps(answer, sort_keys=True))


async def job_status(qmp, listener, status):
    """Waits for a job's status, and prints all events on the way."""
    async for event in listener:
        print(event["event"], json.dumps(event["data"], sort_keys=True))
        if event["data"].get("status") == status:
            return


async def first(path):
    """Makes nodes and mirrors one to the other, then hangs up with the job ready."""
    qmp = QMPClient("first")
    await qmp.connect(path)
    version = qmp.greeting.QMP.version["qemu"]
    print("greeting", version["major"], version["minor"], qmp.greeting.QMP.capabilities)
    for name in ("src", "tgt"):
        await ask(qmp, "blockdev-add", **node(name))
    await ask(qmp, "blockdev-add", **node("src"))
    await ask(qmp, "blockdev-add", driver="null-co")
    await ask(qmp, "no-such-command")
    with qmp.listener() as listener:
        await ask(qmp, "blockdev-mirror", job_id="j0", device="src", target="tgt", sync="full")
        await job_status(qmp, listener, "ready")
    await ask(qmp, "query-jobs")
    await qmp.disconnect()


async def second(path):
    """Comes again, finds all as it was left, and completes the job."""
    qmp = QMPClient("second")
    await qmp.connect(path)
    # A tag of its own for each of several commands on their way at once.
    both = [qmp.execute("query-jobs"), qmp.execute("query-block-exports")]
    jobs, exports = await asyncio.gather(*both)
    print("left", [job["status"] for job in jobs], exports)
    with qmp.listener() as listener:
        await ask(qmp, "job-complete", id="j0")
        await job_status(qmp, listener, "null")
    graph = await qmp.execute("x-debug-query-block-graph")
    print("graph", sorted(end["name"] for end in graph["nodes"]), graph["edges"])
    await ask(qmp, "quit")
    try:
        await qmp.disconnect()
    except EOFError:
        # The other side was faster.
        pass


async def main(path):
    """Two clients, one after the other."""
    await first(path)
    await second(path)


asyncio.run(main(sys.argv[1]))
