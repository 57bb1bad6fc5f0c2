"""The commands, and how one is found: a command's module is imported only when it is called."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

import ledger
from ledger.cli import options
from ledger.cli.call import Call
from ledger.cli.plain import read_plainly
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.api import Sources


class Entry(NamedTuple):
    """One command: its group in the list, the module that holds it, and what it does in a few words."""

    group: str
    module: str
    summary: str


COMMANDS = {
    "init": Entry("Set up", "init", "Make a ledger for this project."),
    "up": Entry("Set up", "up", "Begin to record this project, and prove that it works."),
    "down": Entry("Set up", "down", "Stop recording: take back what was installed."),
    "hooks": Entry("Set up", "hooks", "Put the ledger's hooks into settings, take them out, say how they stand."),
    "doctor": Entry("Set up", "doctor", "Prove that recording works; say what to do where it does not."),
    "pause": Entry("Set up", "pause", "Stop recording for a while; the gap is marked as one."),
    "unpause": Entry("Set up", "unpause", "Go on recording."),
    "statusline": Entry("Set up", "statusline", "Print one line for the foot of an agent's window."),
    "demo": Entry("Set up", "demo", "Take a tour of the ledger, in a folder that is thrown away."),
    "set": Entry("Write", "set", "Give a key a value."),
    "delete": Entry("Write", "delete", "Take a key's value away."),
    "add": Entry("Write", "add", "Add elements to a set, or items to a log."),
    "remove": Entry("Write", "remove", "Take elements from a set, or fields from a map."),
    "incr": Entry("Write", "incr", "Add to a counter."),
    "note": Entry("Write", "note", "Leave a remark in the log."),
    "decide": Entry("Write", "decide", "Record a decision at a key, with its reason."),
    "record": Entry("Write", "record", "Record events of any type, read from standard input."),
    "share": Entry("Write", "share", "Copy what the session has of its own to everybody."),
    "checkpoint": Entry("Write", "checkpoint", "Pin where a session stands, with the code; have that code again."),
    "rollback": Entry("Write", "rollback", "Give keys the values that they had at REV."),
    "undo": Entry("Write", "undo", "Take back this session's last change of context."),
    "get": Entry("Read", "get", "Print what stands at a key."),
    "keys": Entry("Read", "keys", "List the keys, with what stands at each."),
    "log": Entry("Read", "log", "List the events, the newest first."),
    "search": Entry("Read", "search", "Find the events that hold some words, the best first."),
    "stats": Entry("Read", "stats", "Count what is in the ledger: sessions, tools, tokens, cost and more."),
    "show": Entry("Read", "show", "Show an event, with the change that it made."),
    "diff": Entry("Read", "diff", "Show what differs between two states."),
    "history": Entry("Read", "history", "List the writes of a key, the newest first."),
    "inject": Entry("Read", "inject", "Print what agents are given to read, or were."),
    "status": Entry("Sessions", "status", "Say how the ledger is: who works, what waits, what is wrong."),
    "sessions": Entry("Sessions", "sessions", "List the sessions, with what each is doing."),
    "handoff": Entry("Sessions", "handoff", "Print what the next one needs to carry on a session's work."),
    "resume": Entry("Sessions", "resume", "Start an agent on a session, where that left off."),
    "session": Entry("Sessions", "session", "Begin or end a session, or go on with one."),
    "watch": Entry("Sessions", "watch", "Tell of events as they land, or of what has gone wrong."),
    "remote": Entry("Share", "remote", "Name the other places that this ledger is exchanged with."),
    "sync": Entry("Share", "sync", "Exchange events with other machines, by way of a remote."),
    "clone": Entry("Share", "clone", "Make a ledger here from one that lies elsewhere."),
    "server-setup": Entry("Share", "server_setup", "Make a bare repository ready to be the place where machines meet."),
    "conflicts": Entry("Share", "conflicts", "List the keys at which a write was beaten unseen."),
    "resolve": Entry("Share", "resolve", "Settle the conflict at a key."),
    "lease": Entry("Share", "lease", "Claim paths or names for a time, so that nobody else works on them."),
    "task": Entry("Share", "task", "Keep track of what is to be done, and who does it."),
    "off": Entry("Share", "off", "Turn a part of the ledger off, for every process at once."),
    "on": Entry("Share", "on", "Turn a part of the ledger on again."),
    "verify": Entry("Recover", "verify", "Prove that the state is what the events say."),
    "repair": Entry("Recover", "repair", "Put right in the store what can be, and name what stays lost."),
    "recover": Entry("Recover", "recover", "Bring sessions back that have crashed or were damaged."),
    "replay": Entry("Recover", "replay", "Fold a session's events again and compare with what is stored."),
    "import": Entry("Exchange", "import_", "Take in the transcripts of past sessions."),
    "export": Entry("Exchange", "export", "Write the ledger in another form."),
    "backup": Entry("Exchange", "backup", "Copy the whole ledger into one folder, verified."),
    "restore": Entry("Exchange", "restore", "Make a ledger from a backup."),
    "forget": Entry("Exchange", "forget", "Take content out of the whole ledger, for good."),
    "gc": Entry("Keep", "gc", "Pack what lies loose; nothing is lost."),
    "du": Entry("Keep", "du", "Say what takes how much room."),
    "schema": Entry("Keep", "schema", "List the schemas, or print one."),
    "validate": Entry("Keep", "validate", "Check files against the schemas, without writing anything."),
    "policy": Entry("Keep", "policy", "Declare how writes to keys combine, and what values look like."),
    "redact": Entry("Keep", "redact", "Replace the secrets in a text, or say where they are."),
}


_HELP = ("-h", "--help")


class Commands(TyperGroup):
    """The commands by name, each imported when it is asked for, and listed in groups without importing any."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer calls it so
        """The names, in the order of the list."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer calls it so
        """The command of that name, or None."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments begin with; an unknown name is refused with the nearest ones."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(f"no such command: {args[0]}", hint=_nearest(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer calls it so
        """The list of commands, in groups."""
        for group in dict.fromkeys(entry.group for entry in COMMANDS.values()):
            rows = [(name, entry.summary) for name, entry in COMMANDS.items() if entry.group == group]
            with formatter.section(group):
                formatter.write_dl(rows)


class Subcommands(TyperGroup):
    """The parts of one command; `default` is meant where none is named."""

    default: str | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, with the default part put in where none is named."""
        if self.default and not any(a in self.commands or a in _HELP for a in args[:1]):
            args = [self.default, *args] if not args or args[0].startswith("-") else args
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The part that the arguments begin with; an unknown name is refused with those there are."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise UsageError(f"no such command: {self.name} {args[0]}", hint=f"one of: {', '.join(self.commands)}")
        return super().resolve_command(ctx, args)


def run(arguments: Sequence[str], sources: Sources | None) -> int:
    """Run one command; its exit code. Raises UsageError, with what to do, for a call that cannot be understood."""
    call = Call(sources)
    try:
        code = _root().main(list(arguments), prog_name="ledger", standalone_mode=False, obj=call)
    except TyperException as error:
        raise UsageError(_words(error), hint=_hint(error)) from error
    except typer.Abort:
        return 1
    return code if isinstance(code, int) else 0


def load(name: str) -> Any:
    """The command of that name, with the options of every command; its module is imported."""
    entry = COMMANDS[name]
    module = importlib.import_module(f"ledger.cli.{entry.module}")
    parts: dict[str, Callable[..., Any]] | None = getattr(module, "PARTS", None)
    if parts is None:
        more = _parameters(options.scoped) if getattr(module, "HAS_USER_SCOPE", False) else []
        return _command(name, module.command, getattr(module, "SETTINGS", {}), more)
    group = Subcommands(
        name=name,
        commands={part: _command(part, function, {}) for part, function in parts.items()},
        help=module.__doc__,
        rich_markup_mode=None,
        add_help_option=False,
    )
    group.default = getattr(module, "DEFAULT", None)
    group.params += _shared()
    read_plainly(group.params)
    return group


def _command(name: str, function: Callable[..., Any], settings: dict[str, Any], more: Sequence[Any] = ()) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, context_settings=settings, add_help_option=False)(_quiet_pipe(function))
    command: Any = get_command(app)
    command.params += [*more, *_shared()]
    read_plainly(command.params)
    return command


def _quiet_pipe(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its broken pipe under a name of our own: typer would end the process for it, with code 1."""
    from ledger.cli.errors import ReaderGoneError

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BrokenPipeError:
            raise ReaderGoneError from None

    return call


def _shared() -> list[Any]:
    return _parameters(options.shared)


def _parameters(function: Callable[..., Any]) -> list[Any]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(add_help_option=False)(function)
    return get_command(app).params


@functools.cache
def _root() -> Any:
    app = typer.Typer(
        cls=Commands,
        invoke_without_command=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 100},
        add_help_option=False,
        epilog=options.REVS,
    )
    app.callback()(_root_callback)
    root: Any = get_command(app)
    root.params += _shared()
    read_plainly(root.params)
    return root


def _root_callback(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    """The context of AI coding sessions, kept as a provable history in git."""
    if version:
        typer.echo(f"ledger {ledger.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=3)
    return f"did you mean: {', '.join(near)}?" if near else "`ledger --help` lists the commands"


def _words(error: Any) -> str:
    words: str = error.format_message() if hasattr(error, "format_message") else str(error)
    return words[:1].lower() + words[1:].rstrip(".")


def _hint(error: Any) -> str:
    path = error.ctx.command_path if getattr(error, "ctx", None) else "ledger"
    option = getattr(error, "option_name", "")
    if type(error).__name__ == "NoSuchOption" and not option.startswith("--"):
        return f"`{path} --help` shows how; put -- before a value that begins with a dash"
    return f"`{path} --help` shows how"
