"""The only root process as control sees it: it makes the rig's machines, lists them and ends them (ipc/priv.h)."""
from channels import Channel
from ipc_structs import ipc
from scripted_monitor import Monitor
from script import Script


class Priv:
    """Machines outlive the control that asked for them: this is the world's, its channel a control's."""

    def __init__(self, world):
        self.world, self.script, self.machines, self.kept = world, Script(), {}, []
        self.channel, self.asked = None, []

    def connect(self):
        """The channel of a control that starts, or of a priv that came back."""
        if self.channel:
            self.channel.close()
        self.kept.clear()
        for monitor in [m for m in self.machines.values() if not m.alive]:
            self.machines.pop(monitor.name).clear()  # of one who is gone
        self.channel = Channel(self.world.reactor, "priv", self._got)
        return self.channel

    def _got(self, ask):
        ask.actor = self
        ask.honest = lambda: getattr(self, f"do_{ask.word.lower()}")(ask)
        self.asked.append(ask.word)
        self.script.action(ask.word)(ask)

    def die(self):
        self.channel.close()

    def _item(self, monitor, slot=1):
        return dict(machine=monitor.name.encode(), owner=ipc.PRIV_OWNER_CONTROL, slot=slot, pid=1, start_time=1)

    def do_machine_start(self, ask):
        name = ask.body.machine.decode()
        if name in self.machines:
            ask.fault("CONFLICT", "there is such a machine")
            return
        self.machines[name] = Monitor(self.world, ask.body)
        ask.answer("MACHINE_STARTED", **self._item(self.machines[name]))

    def do_machine_end(self, ask):
        monitor = self.machines.pop(ask.body.machine.decode(), None)
        if monitor:
            monitor.clear()
        ask.answer("DONE")

    def do_machine_api(self, ask):
        monitor = self.machines.get(ask.body.machine.decode())
        if not monitor:
            ask.fault("NOT_FOUND", "no such machine runs")
            return
        monitor.has_api = True
        ask.answer("DONE")

    def do_machine_list(self, ask):
        for monitor in self.machines.values():
            if monitor.alive:
                self.channel.say("MACHINE_ITEM", tag=ask.tag, **self._item(monitor))
        ask.answer("DONE")

    def is_gone(self, monitor):
        """The event, but not for one that is being ended."""
        if self.channel and self.machines.get(monitor.name) is monitor:
            self.channel.say("MACHINE_GONE", machine=monitor.name.encode())

    def alive(self):
        return [monitor for monitor in self.machines.values() if monitor.alive]
