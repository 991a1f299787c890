"""What a scripted monitor or priv does instead of what it should, for each kind of message.

An action is a function of the message.  Who was asked is `ask.actor`; `ask.honest()` does what a good one does.
"""
import collections
import functools

from ipc_structs import ipc


class Script:
    """`always` until `clear`; `once` goes before, each for one message."""

    def __init__(self, behind=None):
        self.lasting, self.next, self.behind = {}, collections.defaultdict(collections.deque), behind

    def always(self, word, action):
        self.lasting[word] = action

    def once(self, word, *actions):
        self.next[word].extend(actions)

    def clear(self):
        self.lasting.clear()
        self.next.clear()

    def action(self, word):
        if self.next[word]:
            return self.next[word].popleft()
        if word in self.lasting:
            return self.lasting[word]
        return self.behind.action(word) if self.behind else honest


def honest(ask):
    ask.honest()


def never(ask):
    """The message is kept, with its descriptors, as one that is busy with it would."""
    ask.actor.kept.append(ask)


def twice(ask):
    ask.repeats = 2
    ask.honest()


def late(seconds, then=honest):
    return lambda ask: ask.actor.world.after(seconds, functools.partial(then, ask))


def refuse(kind, text="the rig refuses"):
    return lambda ask: ask.fault(kind, text)


def wrong_type(word, **members):
    """Another answer for this tag."""
    return lambda ask: ask.answer(word, **members)


def wrong_tag(ask):
    ask.tag += 1000
    ask.honest()


def wrong_size(ask):
    """What is no message at all: the connection breaks."""
    ask.channel.send(ipc.number(ask.channel.table, "FAULT"), b"x", tag=ask.tag)


def silent_but_done(ask):
    """It does it and does not say so."""
    ask.repeats = 0
    ask.honest()


def dies_before(ask):
    ask.actor.die()


def dies_after(ask):
    ask.honest()
    ask.actor.die()


def loses_peer(ask):
    """The connection ends, who was asked lives."""
    ask.channel.close()


class Hold:
    """Messages wait until the test lets them go."""

    def __init__(self, then=honest):
        self.then, self.asks = then, []

    def __call__(self, ask):
        self.asks.append(ask)

    def release(self, then=None):
        asks, self.asks = self.asks, []
        for ask in asks:
            with ask.actor.world.reactor.lock:
                (then or self.then)(ask)
