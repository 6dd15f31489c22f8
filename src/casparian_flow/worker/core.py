"""The rules of a worker towards its sentinel, without any input or output: bytes and a clock in, bytes and actions out.

Everything that a sentinel must know is said again until it is answered, and everything it says may come twice, late or
never. Safety does not rest on that: the sentinel decides alone, and what it has once permitted is never discarded here.
"""

from __future__ import annotations

import msgspec

from casparian_flow.core.jobs import JobPhase, LogLine
from casparian_flow.protocol.bodies import (
    Abort,
    Ack,
    Body,
    Cast,
    Conclude,
    Dispatch,
    Echo,
    EnvReady,
    Err,
    Holding,
    Identify,
    Parse,
    Permit,
    PrepareEnv,
    Reload,
    Seal,
    Sealed,
    Stopped,
    Surveyed,
    Terms,
)
from casparian_flow.protocol.codec import UNKNOWN_VERSION, BadMessage, Message, encode, from_sentinel
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.worker.actions import Action, Answer, Begin, Discard, Fenced, Held, Joined, Lost, Refused, Stop
from casparian_flow.worker.asking import RESEND_SECONDS, Asking
from casparian_flow.worker.hearing import Hearing, News
from casparian_flow.worker.held import HeldAttempt, Key, doom, join, part
from casparian_flow.worker.in_hand import InHand
from casparian_flow.worker.pulse import Pulse

MOST_WORDS = 8192
MOST_HELD = 15_000
"""Attempts that fit into an IDENTIFY; surveyed ones beyond are given back when the sentinel has to be told anew."""

_STOPPABLE = frozenset({JobPhase.STARTING, JobPhase.PARSING, JobPhase.CASTING})


class WorkerCore:
    """One worker's side of the protocol. `now` is always seconds of one monotonic clock.

    After every call, whatever `take_outgoing` and `take_actions` give is to be sent and done; `tick` is to be called at
    the time that `wakes_at` tells, and whenever else one likes.
    """

    def __init__(self, profile: Identify, session: str, *, may_be_cut_off: bool = True) -> None:
        """`profile` says who this is and what it can do; `session` was never used before.

        Where it cannot be cut off from its sentinel, which is a thread of the same process, silence only means that
        the sentinel is busy: nothing is given up for that.
        """
        self._profile = profile
        self._may_be_cut_off = may_be_cut_off
        self._session = session
        self._outgoing: list[bytes] = []
        self._actions: list[Action] = []
        self._seq = 0

        self._hearing = Hearing()
        self._is_joined = False
        self._is_fenced = False
        self._identify_at = 0.0

        self._pulse = Pulse()
        self._echoed = 0.0

        self._free = list(range(profile.slots))
        self._held = InHand()
        self._asking = Asking(self._send)
        self._is_leaving = False
        self._said_goodbye = False

    @property
    def is_joined(self) -> bool:
        """Whether a sentinel has accepted this worker and was not lost since."""
        return self._is_joined

    @property
    def has_news(self) -> bool:
        """Whether there is something to send or to do."""
        return bool(self._outgoing or self._actions)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand and every slot is free."""
        return not self._held and len(self._free) == self._profile.slots

    @property
    def is_over(self) -> bool:
        """Whether a worker that leaves has nothing in hand any more, and the sentinel knows."""
        return self._said_goodbye

    @property
    def wakes_at(self) -> float:
        """When `tick` has something to do at the latest."""
        if not self._is_joined or self._hearing.terms is None:
            return min(self._identify_at, self._fence_at)
        return min(self._pulse.due, self._asking.due, self._fence_at)

    def take_outgoing(self) -> list[bytes]:
        """The messages to send, in order."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def take_actions(self) -> list[Action]:
        """What is to be done, in order."""
        actions, self._actions = self._actions, []
        return actions

    # What the sentinel says

    def receive(self, data: bytes, now: float) -> None:
        """Take one message in, whatever it is."""
        try:
            message = from_sentinel(data)
        except BadMessage as bad:
            if data[1:2] != bytes([Opcode.ERR]):
                self._send(Opcode.ERR, Err(code=bad.code, message=_words(bad.message), of=bad.seq))
            elif bad.code == UNKNOWN_VERSION and not self._is_joined:
                self._actions.append(Refused(bad.code, bad.message))
            return
        news = self._hearing.judge(message)
        if news is News.STRANGE:
            self._identify_again(now)
        if news is not News.NEW:
            return
        match message.body:
            case Echo(of=of):
                self._echo(of)
            case Ack():
                self._acknowledged(message.body, now)
            case Dispatch(order=Parse() as order):
                self._parse(order, now)
            case Dispatch(order=Cast() as order):
                self._cast(order, now)
            case Permit():
                self._permitted((message.job, message.attempt), message.body)
            case Abort():
                self._abort(message.job, message.attempt, message.body, now)
            case Reload():
                self._identify_again(now)
            case PrepareEnv(env_hash=env_hash):
                self._prepare(env_hash, message.seq)
            case Err(of=of):
                self._refused(of, message.body, now)
            case _:
                pass

    def _echo(self, of: int) -> None:
        if (beat := self._pulse.echoed(of, self._held)) is not None:
            self._echoed = max(self._echoed, beat.sent)
            self._said_goodbye |= beat.is_goodbye and self.is_idle

    def _acknowledged(self, ack: Ack, now: float) -> None:
        if ack.terms is not None:
            self._join(ack.terms, self._hearing.accepted(ack.of, ack.terms, now), now)
            return
        if (attempt := self._asking.by(ack.of)) is None:
            return
        self._asking.answered(attempt)
        if attempt.phase is JobPhase.SURVEYED:
            self._held.set_aside(attempt.together)
            return
        if attempt.phase is JobPhase.SEALED:
            self._actions.append(Answer(*attempt.key, Held()))
        self._forget(attempt)

    def _join(self, terms: Terms, sent: float, now: float) -> None:
        self._echoed = max(self._echoed, sent)
        self._is_fenced = False
        if not self._is_joined:
            self._is_joined = True
            self._actions.append(Joined(terms))
            for attempt in self._held.values():
                attempt.known = None
            self._asking.anew(self._held.values(), now)
            self._pulse.start(now)
            self.tick(now)

    def _parse(self, order: Parse, now: float) -> None:
        keys = [(job.job, job.attempt) for job in order.jobs]
        if any(key in self._held for key in keys):
            return  # said twice
        for key in keys:
            self._held.begin(key, JobPhase.STARTING, now)
        if self._is_leaving or not self._free:
            for key in keys:
                self.stopped(*key, now)
            return
        self._actions.append(Begin(self._free.pop(0), order))

    def _cast(self, order: Cast, now: float) -> None:
        keys = [(each.job.job, each.job.attempt) for each in order.jobs]
        found = []
        for key in keys:
            if key in self._held:
                found.append(self._held[key])
            else:  # it was given up; without its rows there is nothing to cast
                self._held.begin(key, JobPhase.STOPPING, now)
                self.stopped(*key, now)
        waiting = next((each for each in found if each.phase is JobPhase.SURVEYED), None)
        if waiting is None:
            return
        group = waiting.together
        self._asking.answered(waiting.leader)
        if [each.key for each in group] != keys or self._is_leaving or not self._free:
            self._discard(waiting)
            return
        for each in group:
            each.phase, each.group = JobPhase.CASTING, ()
        self._held.bring_back(group)
        self._actions.append(Begin(self._free.pop(0), order))

    def _permitted(self, key: Key, permit: Permit) -> None:
        leader = self._held.get(key)
        if leader is not None and leader.phase is JobPhase.SEALED and leader.leader is leader:
            for each in leader.together:
                each.phase = JobPhase.PROMOTING
            self._asking.answered(leader)
            self._actions.append(Answer(*key, permit))

    def _abort(self, job: int, number: int, abort: Abort, now: float) -> None:
        """Of a group that is sealed or surveyed, nothing goes on without any one of it."""
        attempt = self._held.get((job, number))
        if attempt is None:
            self._held.begin((job, number), JobPhase.STOPPING, now)
            self.stopped(job, number, now)
        elif attempt.phase is JobPhase.SEALED:
            self._turn_down(attempt, abort.message or abort.code)
        elif attempt.question is not None and isinstance(attempt.question.body, Err | Stopped):
            self.stopped(job, number, now)  # nothing of it remains: that is all the sentinel wants to know
        else:
            self._give_up(attempt)

    def _prepare(self, env_hash: str, of: int) -> None:
        if env_hash in self._profile.environments:
            self._send(Opcode.ENV_READY, EnvReady(env_hash=env_hash))
        else:
            message = "this worker makes no environments"
            self._send(Opcode.ERR, Err(code="not-supported", message=message, of=of))

    def _refused(self, of: int, err: Err, now: float) -> None:
        """A message of ours was not accepted, and never will be."""
        if self._hearing.is_about_identify(of):
            self._actions.append(Refused(err.code, err.message))
        elif self._pulse.is_awaited(of):  # it does not know us any more
            self._identify_again(now)
        elif (attempt := self._asking.by(of)) is not None:
            self._asking.answered(attempt)
            if attempt.phase is JobPhase.SEALED:
                doom(attempt.together, err.code, _words(err.message))
                self._turn_down(attempt, err.message)
            elif attempt.phase is JobPhase.SURVEYED:
                doom(attempt.together, err.code, _words(err.message))
                self._discard(attempt)
            else:
                self._forget(attempt)

    # What slots say

    def started(self, job: int, number: int, now: float) -> None:
        """The parser has this file now."""
        if (attempt := self._held.get((job, number))) is not None:
            if attempt.phase is JobPhase.STARTING:
                attempt.phase = JobPhase.PARSING
            attempt.heard = now
            self._pulse.soon(now)

    def progressed(self, job: int, number: int, rows: int, position: int, now: float) -> None:
        """The parser gave a sign of life: so many rows so far, so many bytes into the file."""
        if (attempt := self._held.get((job, number))) is not None:
            attempt.rows, attempt.bytes, attempt.heard = rows, position, now

    def printed(self, job: int, number: int, lines: list[LogLine], now: float) -> None:
        """The parser wrote these lines."""
        if (job, number) in self._held:
            self._pulse.print((job, number), lines)
            self._pulse.soon(now)

    def sealed(self, outcome: Sealed, now: float) -> None:
        """Staged and sealed together; an `Answer` to the leader will come."""
        keys = [(each.job, each.attempt) for each in outcome.jobs]
        group = join(self._held, keys, JobPhase.SEALED)
        if group:
            self._ask(group[0], Opcode.SEALED, Seal(outcome=outcome), now)
        else:
            self._actions.append(Answer(*keys[0], Fenced("it was stopped")))

    def surveyed(self, outcome: Surveyed, now: float) -> bool:
        """Parsed, and kept until all contracts are known; False if it is to be discarded now, and then `stopped`."""
        keys = [(each.job, each.attempt) for each in outcome.jobs]
        group = join(self._held, keys, JobPhase.STOPPING if self._is_leaving else JobPhase.SURVEYED)
        if not group or self._is_leaving:
            return False
        self._ask(group[0], Opcode.SEALED, Seal(outcome=outcome), now)
        return group[0].phase is JobPhase.SURVEYED

    def failed(self, job: int, number: int, code: str, message: str, why: str, transient: bool, now: float) -> None:
        """The attempt ended in an error, and nothing of it remains; or its group was permitted, and cannot be promoted.

        Of a permitted group the leader is named.
        """
        attempt = self._held.get((job, number))
        if attempt is None:
            return
        if attempt.phase is JobPhase.STOPPING:
            self.stopped(job, number, now)
            return
        if attempt.phase is not JobPhase.PROMOTING:
            attempt.phase = JobPhase.STOPPING
        err = Err(code=code, message=_words(message), why=_words(why), transient=transient)
        self._ask(attempt, Opcode.ERR, err, now)

    def concluded(self, job: int, number: int, now: float) -> None:
        """Every permitted entry of the group that this attempt leads is visible."""
        if (attempt := self._held.get((job, number))) is not None:
            self._ask(attempt, Opcode.CONCLUDE, Conclude(), now)

    def stopped(self, job: int, number: int, now: float) -> None:
        """Nothing of the attempt runs or is staged here."""
        if (attempt := self._held.get((job, number))) is not None:
            attempt.phase = JobPhase.STOPPING
            if attempt.doom is not None:
                self._ask(attempt, Opcode.ERR, attempt.doom, now)
            else:
                self._ask(attempt, Opcode.STOPPED, Stopped(), now)

    def free(self, slot: int, now: float) -> None:
        """A slot is done with its order."""
        self._free.append(slot)
        self._free.sort()
        self._pulse.hurry(now)
        self.tick(now)

    # What the process around it wants

    def leave(self, now: float) -> None:
        """Take no more work, finish what is being read, give back what waits; `is_over` tells when that is done."""
        self._is_leaving = True
        for attempt in list(self._held.values()):
            if attempt.phase in (JobPhase.STARTING, JobPhase.SURVEYED):
                self._give_up(attempt)
        self._pulse.hurry(now)
        self.tick(now)

    def give_up(self, now: float) -> None:
        """Take no more work, and stop everything that has not been sealed."""
        self.leave(now)
        self._stop_all()

    def tick(self, now: float) -> None:
        """Say what it is time to say; give up what runs here if the sentinel has not been heard for too long."""
        if now >= self._fence_at:
            self._fence(now)
        if not self._is_joined:
            if now >= self._identify_at:
                self._identify(now)
            return
        if now >= self._asking.due:
            self._resend(now)
        if now >= self._pulse.due:
            self._beat(now)

    # How it is said

    @property
    def _fence_at(self) -> float:
        """When what runs here has to end unless the sentinel echoes a heartbeat before."""
        if self._hearing.terms is None or self._is_fenced or not self._may_be_cut_off:
            return float("inf")
        return self._echoed + self._hearing.terms.fence_ms / 1000

    def _fence(self, now: float) -> None:
        """Nobody may wait for what runs here any more.

        What is sealed stays: its permit may be decided and on its way. It goes on asking, and the answer says which.
        """
        self._is_fenced = True
        self._stop_all()
        self._actions.append(Lost())
        self._identify_again(now)

    def _stop_all(self) -> None:
        for attempt in list(self._held.values()):
            self._give_up(attempt)

    def _give_up(self, attempt: HeldAttempt) -> None:
        """Stop an attempt that is neither sealed nor permitted nor over."""
        if attempt.phase in _STOPPABLE:
            attempt.phase = JobPhase.STOPPING
            self._actions.append(Stop(*attempt.key))
        elif attempt.phase is JobPhase.SURVEYED:
            self._discard(attempt)

    def _discard(self, attempt: HeldAttempt) -> None:
        group = self._part(attempt)
        self._actions.append(Discard(tuple(each.key for each in group)))

    def _turn_down(self, attempt: HeldAttempt, why: str) -> None:
        leader = self._part(attempt)[0]
        self._actions.append(Answer(*leader.key, Fenced(why)))

    def _part(self, attempt: HeldAttempt) -> tuple[HeldAttempt, ...]:
        """The group of an attempt, which is none any more: each of it stops."""
        self._asking.answered(attempt.leader)
        self._held.bring_back(attempt.together)
        return part(attempt)

    def _identify_again(self, now: float) -> None:
        if self._is_joined:
            self._is_joined = False
            self._identify_at = now
            self.tick(now)

    def _identify(self, now: float) -> None:
        held = sorted(self._held.values(), key=lambda each: each.phase is JobPhase.SURVEYED)
        for beyond in held[MOST_HELD:]:
            self._give_up(beyond)
        holding = [Holding(job=each.job, attempt=each.attempt, phase=each.phase) for each in held[:MOST_HELD]]
        seq = self._send(Opcode.IDENTIFY, msgspec.structs.replace(self._profile, holding=holding))
        self._hearing.identified(seq, now)
        self._identify_at = now + RESEND_SECONDS

    def _beat(self, now: float) -> None:
        assert self._hearing.terms is not None
        heartbeat = self._pulse.heartbeat(
            self._held,
            now,
            self._hearing.terms.heartbeat_ms / 1000,
            free=0 if self._is_leaving else len(self._free),
            seen=self._hearing.seen,
            leaving=self._is_leaving,
        )
        seq = self._send(Opcode.HEARTBEAT, heartbeat)
        self._pulse.sent(seq, heartbeat, now, is_goodbye=self._is_leaving and self.is_idle)

    def _ask(self, attempt: HeldAttempt, opcode: Opcode, body: Body, now: float) -> None:
        """Say something until it is answered; what was printed before goes first, in a heartbeat that names it."""
        self._held.bring_back(attempt.together)
        self._asking.begin(attempt, opcode, body, now)
        if not self._is_joined:
            return
        if any(self._pulse.has_unsaid(each.key) for each in attempt.together):
            self._beat(now)
        self._say(attempt, now)

    def _say(self, attempt: HeldAttempt, now: float) -> None:
        try:
            self._asking.say(attempt, now)
        except BadMessage as bad:  # then that is how the attempt fails
            self._asking.answered(attempt)
            doom(attempt.together, "outcome-too-large", f"what it came to cannot be told: {bad.message}")
            if attempt.phase is JobPhase.SEALED:
                self._turn_down(attempt, bad.message)
            elif attempt.phase is JobPhase.SURVEYED:
                self._part(attempt)

    def _resend(self, now: float) -> None:
        for attempt in self._asking.take_due(self._held.values(), now):
            self._say(attempt, now)

    def _forget(self, attempt: HeldAttempt) -> None:
        """The sentinel's last word on an attempt; what was permitted or is held is so together."""
        self._held.end(attempt.together)
        for each in attempt.together:
            self._pulse.forget(each.key)
        if self._is_leaving and self.is_idle:
            self._pulse.start(0.0)

    def _send(self, opcode: Opcode, body: Body, job: int = 0, attempt: int = 0) -> int:
        self._seq += 1
        message = Message(opcode=opcode, session=self._session, seq=self._seq, job=job, attempt=attempt, body=body)
        self._outgoing.append(encode(message))
        return self._seq


def _words(text: str) -> str:
    """The end of a text, as it may be in a message."""
    return text.encode("utf-8", "backslashreplace").decode()[-MOST_WORDS:]
