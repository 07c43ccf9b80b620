"""bot notify: everything that happens arrives, whatever is down or killed, and gives nothing away."""

from __future__ import annotations

import errno
import hashlib
import hmac
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.adapters.messages.delivery import Address, NotDelivered, OutgoingMessage
from bot.adapters.messages.services import services
from bot.adapters.messages.webhook import Webhook
from bot.adapters.system.run_lock import RunLock
from bot.app.messages import ledger_of_messages
from bot.app.messages.ledger_of_messages import NAME, MessageState, read_state, write_state
from bot.app.messages.service import Notifier, only_one
from bot.app.messages.standings import standing_line, standings
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.config.notify import Notify
from bot.errors import JournalError
from tests.app.messages.sinks import HttpSink, MailSink

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by a service of apprise

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
NOON = 1_795_780_800_000
SECRET = "a secret of more than sixteen letters"
AT_ONCE = Notify(group_s=0.0, summary_at="", disk_low_mb=0.0, max_per_hour=3600)


@dataclass
class Clock:
    ms: int = NOON

    def __call__(self) -> int:
        return self.ms

    def pass_minutes(self, minutes: float) -> None:
        self.ms += int(minutes * MINUTE_MS)


@dataclass
class Taker:
    """An address in this process."""

    key: str = "taker"
    name: str = "taker"
    taken: list[OutgoingMessage] = field(default_factory=list)
    fails: Callable[[], bool] = lambda: False

    def send(self, delivery: OutgoingMessage) -> None:
        if self.fails():
            raise NotDelivered("down")
        self.taken.append(delivery)

    def ids(self) -> list[str]:
        return [message["id"] for delivery in self.taken for message in delivery.messages]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def run(live_run: RunFolder, place: Path) -> Callable[[], RunFolder]:
    """Let a run appear: with all that happened in it, and a daemon that said that it ended."""

    def appear() -> RunFolder:
        folder = RunFolder(Path(shutil.copytree(live_run.path, place / "alpha")))
        folder.log.write_text(line("run_stopped", "info", bars=3, reason="bars reached"))
        return folder

    return appear


def line(
    name: str, level: str = "warning", at: str = "2026-11-27T12:00:00Z", **more: object
) -> str:
    return json.dumps({"event": name, "level": level, "timestamp": at, "schema": 1} | more) + "\n"


def notifier(place: Path, *addresses: Address, clock: Clock, given: Notify = AT_ONCE,
             said: list[str] | None = None, ping: str = "") -> Notifier:  # fmt: skip
    say = (said if said is not None else []).append
    return Notifier(place, given, addresses, clock, say, ping)


def expected(folder: RunFolder) -> set[str]:
    """Return the ids of all that the record has, counted another way."""
    with open_record(folder) as record:
        times = record.fills()["open_time"].tolist()
        wanted = {f"alpha/fill/{t}/{times[:k].count(t)}" for k, t in enumerate(times)}
        wanted |= {f"alpha/model/{m.model_id}/{m.effective_from}" for m in record.models()}
        wanted |= {f"alpha/command/{c.id}" for c in record.commands() if c.kind != "instruments"}
    return wanted


def test_all_that_the_record_has_is_told_once(place: Path, run: Callable[[], RunFolder]) -> None:
    taker, clock = Taker(), Clock()
    service = notifier(place, taker, clock=clock)
    folder = run()
    for _ in range(3):
        service.look()
        clock.pass_minutes(1)
    told = [each for each in taker.ids() if "/life/" not in each]
    assert len(told) == len(set(told)) > 20
    assert set(told) == expected(folder)
    assert all("(UTC; id " in delivery.text for delivery in taker.taken)


def test_what_was_there_at_the_first_start_is_not_told(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    folder, taker, clock = run(), Taker(), Clock()
    service = notifier(place, taker, clock=clock)
    service.look()
    assert taker.taken == []
    with folder.log.open("a") as log:
        log.write(line("training_failed", due=0, failures=1, reason="no memory"))
    notifier(place, taker, clock=clock).look()  # another start: it goes on from where it was
    assert [each.split("/")[1] for each in taker.ids()] == ["training"]
    assert "no memory" in taker.taken[0].text


def test_a_webhook_that_is_down_for_an_hour_loses_nothing(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    sink, clock = HttpSink(), Clock()
    said: list[str] = []
    hook = Webhook(sink.address, SECRET, lambda: clock() / 1000)
    service = notifier(place, hook, clock=clock, said=said)
    folder = run()
    for _ in range(60):
        service.look()
        clock.pass_minutes(1)
    tries = [text for text in said if "not taken" in text]
    assert 5 <= len(tries) <= 12  # ever more rarely
    assert "Connection refused" in tries[0]
    service = notifier(place, hook, clock=clock)  # a restart on the way
    with sink.up():
        for _ in range(20):
            service.look()
            clock.pass_minutes(1)
    arrived = [
        message["id"] for _, _, body in sink.taken for message in json.loads(body)["messages"]
    ]
    assert {each for each in arrived if "/life/" not in each} == expected(folder)
    for _, headers, body in sink.taken:
        signed = hmac.new(
            SECRET.encode(), f"{headers['X-Bot-Timestamp']}.".encode() + body, hashlib.sha256
        )
        assert headers["X-Bot-Signature"] == f"v1={signed.hexdigest()}"
        assert headers["X-Bot-Id"] == json.loads(body)["id"]
        assert abs(int(headers["X-Bot-Timestamp"]) - NOON // 1000) < 2 * 3600


def test_a_mail_server_that_is_down_for_an_hour_loses_nothing(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    pytest.importorskip("aiosmtpd")
    pytest.importorskip("apprise")
    sink, clock = MailSink(), Clock()
    said: list[str] = []
    mail = services((sink.address,))[0]
    daily = AT_ONCE.model_copy(update={"summary_at": "12:30"})
    service = notifier(place, mail, clock=clock, given=daily, said=said)
    folder = run()
    for _ in range(12):
        service.look()
        clock.pass_minutes(5)
    assert any("not taken" in text for text in said)
    with sink.up():
        for _ in range(4):
            service.look()
            clock.pass_minutes(16)
    text = "\n".join(mail.get_body(("plain",)).get_content() for mail in sink.taken)  # type: ignore[union-attr]
    with open_record(folder) as record:
        fills = record.fills()
    assert len(re.findall(r" (?:bought|sold) ", text)) == len(fills)
    (summary,) = [mail for mail in sink.taken if "summary" in str(mail["Subject"])]
    (picture,) = list(summary.iter_attachments())
    drawn = Image.open(io.BytesIO(picture.get_payload(decode=True)))  # type: ignore[arg-type]
    assert (drawn.format, drawn.size) == ("PNG", (960, 544))
    assert len(set(drawn.convert("L").tobytes())) > 20  # something is drawn on it


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(kills=st.lists(st.integers(0, 8), max_size=5), fails=st.lists(st.booleans(), max_size=20))
def test_killed_and_refused_at_any_moment_everything_arrives(
    live_run: RunFolder,
    tmp_path_factory: pytest.TempPathFactory,
    kills: list[int],
    fails: list[bool],
) -> None:
    place, clock, refusals = tmp_path_factory.mktemp("killed"), Clock(), iter(fails)
    taker = Taker(fails=lambda: next(refusals, False))
    notifier(place, clock=clock)
    folder = RunFolder(Path(shutil.copytree(live_run.path, place / "alpha")))
    folder.log.write_text("")
    for writes_left in kills:
        service = notifier(place, taker, clock=clock)
        with pytest.MonkeyPatch.context() as patch, suppress(Killed):
            patch.setattr("bot.app.messages.service.write_state", dying_after(writes_left))
            service.look()
        clock.pass_minutes(20)
    service = notifier(place, taker, clock=clock)
    for _ in range(24):
        service.look()
        clock.pass_minutes(20)
    assert read_state(place).waiting == []
    assert {each for each in taker.ids() if "/crash/" not in each} == expected(folder)


class Killed(BaseException):
    """The process ends here."""


def dying_after(writes: int) -> Callable[[Path, MessageState], None]:
    left = iter(range(writes))

    def write(folder: Path, state: MessageState) -> None:
        if next(left, None) is None:
            raise Killed
        write_state(folder, state)

    return write


def test_one_address_that_is_down_holds_up_no_other(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    up, down, clock = Taker("up"), Taker("down", fails=lambda: True), Clock()
    service = notifier(place, down, up, clock=clock)
    folder = run()
    service.look()
    assert expected(folder) <= set(up.ids())
    assert {key for each in read_state(place).waiting for key in each.left} == {"down"}


def test_a_second_service_on_the_same_place_is_refused(place: Path) -> None:
    with (
        only_one(place),
        pytest.raises(JournalError, match="another 'bot notify'"),
        only_one(place),
    ):
        pass


def test_the_switch_is_silent_while_a_daemon_is_missed(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    sink, clock, taker = HttpSink(), Clock(), Taker()
    folder = run()
    with sink.up():
        service = notifier(place, taker, clock=clock, ping=sink.address)
        with RunLock(folder.path):
            with folder.log.open("a") as log:
                log.write(line("run_resumed", "info", run_dir="x", last_bar=0, opened=False))
            for _ in range(3):
                service.look()
                clock.pass_minutes(0.5)
        assert len(sink.taken) == 2  # a call a minute
        for _ in range(4):
            service.look()
            clock.pass_minutes(1)
        assert len(sink.taken) == 2
        assert [each.split("/")[1] for each in taker.ids()] == ["life", "crash"]
        assert taker.taken[-1].urgent
        with folder.log.open("a") as log:
            log.write(
                line("run_stopped", "info", "2026-11-27T12:09:00Z", bars=1, reason="asked to stop")
            )
        service.look()
        assert len(sink.taken) == 3


def test_a_file_that_is_damaged_is_refused_with_the_remedy(place: Path) -> None:
    (place / NAME).write_text("{")
    with pytest.raises(JournalError, match="remove it"):
        notifier(place, Taker(), clock=Clock())


def test_a_full_disk_keeps_nobody_from_being_told(
    place: Path, run: Callable[[], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    taker, clock = Taker(), Clock()
    said: list[str] = []
    service = notifier(place, taker, clock=clock, said=said)
    folder = run()

    def full(folder: Path, state: MessageState) -> None:
        raise JournalError("notify.json: cannot be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bot.app.messages.service.write_state", full)
        for _ in range(3):
            service.look()
    assert expected(folder) <= set(taker.ids())
    assert len([text for text in said if "No space left" in text]) == 1
    assert len(taker.ids()) == len(set(taker.ids()))  # what is not kept is known all the same
    service.look()


def test_a_full_disk_keeps_no_summary_back(
    place: Path, run: Callable[[], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    run()
    taker, clock = Taker(), Clock()
    daily = AT_ONCE.model_copy(update={"summary_at": "08:00"})
    service = notifier(place, taker, clock=clock, given=daily)
    service.look()
    monkeypatch.setattr("tempfile.mkdtemp", full)
    clock.pass_minutes(24 * 60)
    service.look()
    [summed] = [each for each in taker.taken if "/summary/" in each.messages[0]["id"]]
    assert summed.picture is None


def test_a_folder_that_is_removed_during_a_look_ends_no_service(
    place: Path, run: Callable[[], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    said: list[str] = []
    service = notifier(place, Taker(), clock=Clock(), said=said)

    def gone(folder: Path) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder))

    monkeypatch.setattr("shutil.disk_usage", gone)
    service.look()
    service.look()
    assert len([line for line in said if "No such file" in line]) == 1


def test_a_run_that_is_damaged_or_gone_is_told_of_once_and_holds_up_no_other(
    place: Path, run: Callable[[], RunFolder], live_run: RunFolder
) -> None:
    taker, clock = Taker(), Clock()
    said: list[str] = []
    service = notifier(place, taker, clock=clock, said=said)
    folder = run()
    other = RunFolder(Path(shutil.copytree(live_run.path, place / "beta")))
    service.look()
    other.config.unlink()  # the summary needs it, the rest does not
    folder.journal.write_bytes(folder.journal.read_bytes()[:5_000])
    before = len(taker.ids())
    with other.log.open("a") as log:
        log.write(line("training_failed", at="2030-01-01T00:00:00Z", due=0, failures=1, reason="r"))
    for _ in range(3):
        service.look()
    assert sorted(each.split("/")[:2] for each in taker.ids()[before:]) == [
        ["alpha", "crash"], ["beta", "training"]
    ]  # fmt: skip
    assert len([text for text in said if "alpha: " in text and "journal" in text]) == 1
    shutil.rmtree(folder.path)
    service.look()


def test_the_switch_is_silent_while_a_folder_is_missed(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    sink, clock, taker = HttpSink(), Clock(), Taker()
    with sink.up():
        service = notifier(place, taker, clock=clock, ping=sink.address)
        folder = run()
        with RunLock(folder.path):
            folder.log.write_text(
                line("run_resumed", "info", run_dir="x", last_bar=0, opened=False)
            )
            service.look()
            shutil.rmtree(folder.path)
            before, pings = len(taker.ids()), len(sink.taken)
            for _ in range(3):
                clock.pass_minutes(2)
                service.look()
        assert [each.split("/")[1] for each in taker.ids()[before:]] == ["crash"]
        assert taker.taken[-1].urgent
        assert "its folder is gone" in taker.taken[-1].text
        assert len(sink.taken) == pings
        notifier(place, taker, clock=clock, ping=sink.address).look()  # it was meant
        assert len(sink.taken) == pings + 1


def test_a_name_that_is_no_text_is_told_of(place: Path, run: Callable[[], RunFolder]) -> None:
    taker, clock = Taker(), Clock()
    service = notifier(place, taker, clock=clock)
    run().path.rename(place / os.fsdecode(b"alpha\xff"))
    service.look()
    clock.pass_minutes(1)
    service.look()
    assert {each.split("/")[0] for each in taker.ids()} == {"alpha?"}


# Receivers that refuse, ask to wait, or are changed


@dataclass
class Picky(Taker):
    """An address that refuses some messages for ever."""

    refuses: Callable[[str], bool] = lambda _: False
    tries: int = 0

    def send(self, delivery: OutgoingMessage) -> None:
        self.tries += 1
        if any(self.refuses(message["id"]) for message in delivery.messages):
            raise NotDelivered("answered with HTTP 400", 400)
        super().send(delivery)


def hours(service: Notifier, clock: Clock, number: float) -> None:
    for _ in range(int(number * 12)):
        service.look()
        clock.pass_minutes(5)


def test_one_message_that_is_refused_holds_up_no_other_and_is_given_up_after_a_day(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    clock, said = Clock(), list[str]()
    folder_ids: set[str] = set()
    bad = "alpha/life/"
    picky = Picky(refuses=lambda each: each.startswith(bad))
    service = notifier(place, picky, clock=clock, said=said)
    folder_ids = expected(run())
    hours(service, clock, 3)
    assert folder_ids == set(picky.ids())  # all others have arrived, once each
    assert len(picky.ids()) == len(set(picky.ids()))
    (waits,) = read_state(place).waiting
    assert waits.message.id.startswith(bad)
    service = notifier(place, picky, clock=clock, said=said)  # over a restart
    hours(service, clock, 20)
    assert read_state(place).waiting != []
    hours(service, clock, 3)
    assert read_state(place).waiting == []
    (told,) = [line for line in said if "given up" in line]
    assert told.startswith(f"taker: given up, refused for a day (answered with HTTP 400): {bad}")
    (standing,) = standings(place)
    assert (standing["given_up"], standing["waiting"]) == (1, 0)
    assert "1 message given up" in standing_line(standing, clock())


def test_an_address_that_is_gone_collects_nothing_for_ever_and_comes_back(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    clock, said, gone = Clock(), list[str](), [True]
    picky = Picky(refuses=lambda _: gone[0])
    service = notifier(place, picky, clock=clock, said=said)
    folder = run()
    hours(service, clock, 23)
    assert {each.message.id for each in read_state(place).waiting} >= expected(folder)
    assert picky.tries < 110  # by the address, not by the message
    hours(service, clock, 2)
    assert read_state(place).waiting == []
    (standing,) = standings(place)
    assert standing["given_up"] >= len(expected(folder))
    gone[0] = False
    with folder.log.open("a") as log:
        log.write(line("training_failed", at="2030-01-01T00:00:00Z", due=0, failures=1, reason="r"))
    hours(service, clock, 0.5)
    assert [each.split("/")[1] for each in picky.ids()] == ["training"]
    (standing,) = standings(place)
    assert (standing["failures"], standing["refusals"]) == (0, 0)


def test_an_address_that_is_out_of_reach_is_never_given_up(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    clock, down = Clock(), [True]
    taker = Taker(fails=lambda: down[0])
    service = notifier(place, taker, clock=clock)
    folder = run()
    hours(service, clock, 50)
    down[0] = False
    hours(service, clock, 1)
    assert expected(folder) <= set(taker.ids())


def test_an_address_that_is_down_for_weeks_makes_no_file_without_bounds(
    place: Path, run: Callable[[], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are kept, and what is urgent; what another address has taken is not missed there."""
    monkeypatch.setattr(ledger_of_messages, "MOST_WAITING", 5)
    clock, down = Clock(), [True]
    said: list[str] = []
    deaf, well = Taker("deaf", "deaf", fails=lambda: down[0]), Taker("well", "well")
    service = notifier(place, deaf, well, clock=clock, said=said)
    folder = run()
    folder.log.write_text(line("risk", halt="drawdown") + folder.log.read_text())
    hours(service, clock, 50)
    (kept,) = [found for found in standings(place) if found["address"] == "deaf"]
    assert kept["waiting"] == 5
    assert kept["crowded_out"] == len(well.ids()) - 5 > 5
    assert any("not kept, since more than" in each for each in said)
    assert "older messages not kept: too many waited" in standing_line(kept, clock.ms)
    down[0] = False
    hours(service, clock, 1)
    urgent = {m["id"] for d in well.taken for m in d.messages if d.urgent}
    assert urgent
    assert urgent <= set(deaf.ids())
    assert set(well.ids()[-4:]) <= set(deaf.ids())
    assert len(deaf.ids()) == 5


@pytest.mark.parametrize(("status", "asked"), [(429, "7200"), (503, "DATE")])
def test_retry_after_is_obeyed(
    place: Path, run: Callable[[], RunFolder], status: int, asked: str
) -> None:
    clock, said = Clock(), list[str]()
    in_two_hours = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    sink = HttpSink(status=status, retry_after=asked.replace("DATE", in_two_hours))
    hook = Webhook(sink.address, SECRET, lambda: clock() / 1000)
    service = notifier(place, hook, clock=clock, said=said)
    folder = run()
    with sink.up():
        hours(service, clock, 1.9)
        assert len([each for each in said if "not taken" in each]) == 1
        sink.status = 204
        hours(service, clock, 0.5)
    arrived = [m["id"] for _, _, body in sink.taken for m in json.loads(body)["messages"]]
    assert expected(folder) <= set(arrived)


def test_what_waits_for_an_address_that_is_changed_goes_to_the_new_one(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    clock, said = Clock(), list[str]()
    old = Taker("old", "webhook", fails=lambda: True)
    mail = Taker("mail", "Mail 1")
    service = notifier(place, old, mail, clock=clock)
    folder = run()
    service.look()
    new, more = Taker("new", "webhook"), Taker("more", "Mail 2")
    service = notifier(place, new, mail, more, clock=clock, said=said)
    count = len(set(mail.ids()))
    assert said[0] == (
        f"webhook: has another address; {count} messages that waited for the old one: to webhook now"
    )
    before = len(mail.ids())
    service.look()
    assert expected(folder) <= set(new.ids())
    assert (len(mail.ids()), more.ids()) == (before, [])


def test_what_waits_for_an_address_that_is_no_more_is_told(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    clock, said = Clock(), list[str]()
    service = notifier(place, Taker("a", "webhook", fails=lambda: True), clock=clock)
    run()
    service.look()
    count = len(read_state(place).waiting)
    notifier(place, Taker("b", "Mail 1"), clock=clock, said=said)
    assert said[0] == (
        f"webhook: is no address any more; {count} messages that waited for it: not sent there"
    )
    assert read_state(place).waiting == []


def test_a_file_of_before_has_no_names_and_is_read(
    place: Path, run: Callable[[], RunFolder]
) -> None:
    clock, down = Clock(), Taker("a", "webhook", fails=lambda: True)
    service = notifier(place, down, clock=clock)
    folder = run()
    service.look()
    content = json.loads((place / NAME).read_text())
    del content["names"]
    for each in content["waiting"]:
        del each["refused"]
    for each in content["standing"].values():
        for name in ("wait_ms", "refusals", "said", "given_up"):
            del each[name]
    (place / NAME).write_text(json.dumps(content))
    new = Taker("b", "webhook")
    notifier(place, new, clock=clock).look()
    assert expected(folder) <= set(new.ids())
