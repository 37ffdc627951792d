"""The command ``mediafm``."""

from __future__ import annotations

import logging
import os
import sys

import typer

from mediafm.cli import (
    data,
    demo,
    encoding,
    export,
    find,
    look,
    probe,
    report,
    runs,
    serve,
    story,
    suggest,
    titles,
    train,
    version,
)
from mediafm.errors import MediaFMError, describe_os_error

_INTERRUPTED = 130

app = typer.Typer(
    name="mediafm",
    help="Contextual embeddings for every shot of a catalog of films.",
    epilog="Errors are one line; --debug anywhere shows where in the code they come from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("sample")(data.sample)
app.command("ingest")(data.ingest)
app.command("import")(data.import_)
app.command("remove")(titles.remove)
app.command("relink")(titles.relink)
app.command("reencode")(encoding.reencode)
app.command("encoders")(encoding.encoders)
app.command("pretrain")(train.pretrain)
app.command("embed")(train.embed)
app.add_typer(version.app, name="version")
app.add_typer(probe.app, name="probe")
app.command("report")(report.report)
app.command("similar")(find.similar)
app.command("search")(find.search)
app.command("scenes")(story.scenes)
app.command("arc")(story.arc)
app.add_typer(suggest.app)
app.add_typer(export.app)
app.command("plot")(look.plot)
app.command("serve")(serve.serve)
app.command("info")(look.info)
app.command("runs")(runs.runs)


def run() -> None:
    """Runs the command line; errors end as one line on standard error."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    if debug:
        logging.basicConfig()
        logging.getLogger("mediafm").setLevel(logging.DEBUG)
    sys.exit(main([a for a in arguments if a != "--debug"], debug=debug))


def main(arguments: list[str], *, debug: bool = False) -> int:
    """Runs one command.

    Args:
        arguments: What follows ``mediafm``.
        debug: Let errors through with their traceback.

    Returns:
        The exit status: 0 done, 1 failed, 2 not understood, 130 interrupted.
    """
    try:
        status = int(app(arguments, prog_name="mediafm", standalone_mode=False) or 0)
        if status == _INTERRUPTED:  # newer versions of Typer return it
            raise KeyboardInterrupt
        return status
    except (typer.Abort, KeyboardInterrupt):
        print(
            "interrupted; what was finished is kept, run the same again to go on", file=sys.stderr
        )
        return _INTERRUPTED
    except MediaFMError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: not an error, and nothing more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UnicodeEncodeError as error:
        if debug:
            raise
        wrong = ascii(error.object)[:80]
        print(f"error: {wrong} is no text; write it in UTF-8", file=sys.stderr)
        return 1
    except OSError as error:
        if debug:
            raise
        print(f"error: {error.filename or 'system'}: {describe_os_error(error)}", file=sys.stderr)
        return 1
    except Exception as error:
        # A wrong option. Typer brings its own copy of click or uses the installed one, depending on
        # its version, so the class cannot be named.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            context = getattr(error, "ctx", None)
            command = context.command_path if context is not None else "mediafm"
            message = " ".join(str(error.format_message()).split()).rstrip(".")
            print(f"error: {message}; see {command} --help", file=sys.stderr)
            return int(error.exit_code)
        if debug:
            raise
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(f"error: unexpected {what}; --debug shows where it comes from", file=sys.stderr)
        return 1
