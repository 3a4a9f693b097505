"""A real hub with a small tree of organisations, for the tests of the foreign client."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from lianxin_client import Client, Wire

# Nothing is written into the tree.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")
REPOSITORY = Path(__file__).resolve().parents[2]
EAST, WEST = "350102001001", "350102001002"
ORGANISATIONS = """\
编码,名称,简称,类型,上级编码,是否社区,可审批预备党员
350102,中共示范区委员会,示范区,党委,,否,是
350102001,中共示范街道工作委员会,示范街道,党工委,350102,否,是
350102001001,中共东湖社区委员会,东湖社区,党委,350102001,是,否
350102001002,中共西苑社区委员会,西苑社区,党委,350102001,是,否
"""


class Hub:
    """A served hub in a folder of its own."""

    def __init__(self, folder: Path, wire: Wire):
        self.folder, self.wire = folder, wire
        self.program = Path(os.environ.get("LIANXIN_BIN", REPOSITORY / "target/debug")) / "lianxin-hub"
        self.data = folder / "data"
        self.process = None
        self.address = "127.0.0.1:0"
        self._offices = 100
        self.run("init", "--name", "示范市中心")
        table = folder / "organisations.csv"
        table.write_text(ORGANISATIONS, encoding="utf-8")
        self.run("org", "import", str(table))

    def run(self, *args: str):
        """A command of the hub; its answer as JSON."""
        command = [str(self.program), *args, "--data", str(self.data), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{args}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def start(self, clock_offset_s: int = 0) -> "Hub":
        command = [str(self.program), "serve", "--data", str(self.data)]
        command += ["--rpc", self.address, "--web", "127.0.0.1:0"]
        with open(self.folder / "hub.log", "a") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "LIANXIN_CLOCK_OFFSET_S": str(clock_offset_s)},
            )
        ready = self.process.stdout.readline()
        if not ready.startswith("ready"):
            raise RuntimeError((self.folder / "hub.log").read_text())
        self.address = ready.split("rpc=")[1].split()[0]
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process = None

    def code(self, office: str = EAST) -> str:
        return self.run("code", office, "--address", self.address)["code"]

    def new_office(self) -> str:
        """An office that no other test knows; its code."""
        self._offices += 1
        code = f"350102001{self._offices}"
        self.run("office", "add", code, f"第{self._offices}社区", "--parent", "350102001")
        return code

    def memory_peak(self) -> int:
        """The greatest VmRSS that the process has had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def log(self) -> str:
        return (self.folder / "hub.log").read_text()


@pytest.fixture(scope="session")
def wire(tmp_path_factory):
    proto = Path(os.environ.get("LIANXIN_PROTO", REPOSITORY / "proto"))
    return Wire(proto, tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="session")
def hub(tmp_path_factory, wire):
    hub = Hub(tmp_path_factory.mktemp("hub"), wire)
    try:
        yield hub.start()
    finally:
        hub.stop()


@pytest.fixture
def own_hub(tmp_path, wire):
    """A hub for one test alone."""
    hub = Hub(tmp_path, wire)
    try:
        yield hub.start()
    finally:
        hub.stop()


@pytest.fixture
def join(hub):
    """Enrols machines and greets the hub with them; all are closed at the end."""
    clients = []

    def join_office(office: str = EAST, at: Hub | None = None) -> Client:
        at = at or hub
        client = Client(at.wire, at.code(office))
        clients.append(client)
        client.enroll()
        client.connect().hello()
        return client

    yield join_office
    for client in clients:
        client.close()


# What the hub does not do yet, or does otherwise on purpose. Strict: a test that passes must leave
# the list.
OPEN = {
    "test_a_repeated_push_is_answered_with_the_same_decisions":
        "a repeat is answered without verdicts; they come as rows",
    "test_a_change_whose_body_was_erased_keeps_the_chain_whole":
        "bodies are not erased yet",
    "test_a_cursor_beyond_the_head_is_refused_or_brought_back_and_brings_no_rows":
        "a cursor beyond the head reads the feed anew",
    "test_a_message_that_is_no_protobuf_is_the_senders_fault_and_not_the_hubs":
        "the gRPC library answers INTERNAL",
    "test_text_that_is_not_utf8_is_the_senders_fault_and_not_the_hubs":
        "the gRPC library answers INTERNAL",
}


def pytest_collection_modifyitems(items):
    for item in items:
        why = OPEN.get(getattr(item, "originalname", item.name))
        if why:
            item.add_marker(pytest.mark.xfail(reason=why, strict=True))
