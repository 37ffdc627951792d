"""Everything that a catalog is good for, on generated films and on one of yours.

    python examples/tour.py OUT --film big-buck-bunny.mp4 --docs docs

Renders the sample, takes it in, trains, embeds, fits every probe, and runs every command that puts
embeddings to work; likewise for a real film, without labels. The page with all commands, what they
print and draw goes to OUT/tour.md, with --docs also to that folder, where docs/tour.md comes from.
Run it again to go on where it was interrupted.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

from mediafm import Catalog
from mediafm.probes.task import built_in, load_task
from mediafm.report import plot_arc
from mediafm.sample import generate
from mediafm.suggest import FittedProbes, find_arc, suggest_clips
from mediafm.timeline import US, format_time

TITLE, SERIES = "harbour-lights-s01e01", "harbour-lights"
"""What is shown: an episode that no probe sees the labels of, and its series."""
LINES = 24
"""Of what a command prints or writes; the rest is cut."""


class Tour:
    """The page, and the folder that commands run in.

    Args:
        folder: Where everything goes.
        pictures: Name of the folder for pictures beside the page.
    """

    def __init__(self, folder: Path, pictures: str):
        self.folder, self.pictures = folder.resolve(), pictures
        self.page: list[str] = []
        self.places = {str(self.folder): "/OUT"}
        (self.folder / pictures).mkdir(parents=True, exist_ok=True)

    def without_paths(self, text: str) -> str:
        """A page for others does not say where things lie here."""
        for path, name in self.places.items():
            text = text.replace(path, name)
        return text

    def say(self, text: str) -> None:
        """Adds a paragraph to the page."""
        self.page.append(text)

    def run(self, *arguments: str, catalog: str = "", show: bool = True) -> str:
        """Runs mediafm as a user does; what it prints goes to the page."""
        mediafm = str(Path(sys.executable).with_name("mediafm"))
        environment = {**os.environ, "COLUMNS": "108", "MEDIAFM_CATALOG": catalog}
        began = time.monotonic()
        done = subprocess.run(
            [mediafm, *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if show else None,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"mediafm {' '.join(arguments)}: {done.stderr or done.stdout}")
        line = " ".join(quoted(a) for a in arguments)
        print(f"{time.monotonic() - began:7.1f} s  mediafm {line}", flush=True)
        if show:
            said = cut(self.without_paths(done.stdout))
            self.page.append(f"```console\n$ mediafm {line}\n{said}\n```")
        return done.stdout

    def draw(self, name: str, *arguments: str, catalog: str, option: str = "--picture") -> None:
        """Runs a command that also draws, and shows the picture."""
        file = f"{self.pictures}/{name}.png"
        self.run(*arguments, option, file, catalog=catalog)
        self.page.append(f"![{name}]({file})")

    def show(self, file: str, lines: int = 12) -> None:
        """Shows how a file begins."""
        text = self.without_paths((self.folder / file).read_text("utf-8"))
        self.page.append(f"`{file}`:\n\n```text\n{cut(text, lines)}\n```")


def at(tour: Tour, catalog: str, title_id: str, share: float) -> str:
    """The shot after a share of a title, as people write it."""
    shots = Catalog.open(tour.folder / catalog).shots(title_id)
    return f"{title_id}@{format_time(shots[int(len(shots) * share)].span.start)}"


def quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument


def cut(text: str, lines: int = LINES) -> str:
    """The first lines, none too long for a page."""
    found = text.rstrip().splitlines()
    shown = [line if len(line) <= 120 else line[:119] + "…" for line in found[:lines]]
    if len(found) > lines:
        shown.append(f"… {len(found) - lines} more lines")
    return "\n".join(line.rstrip() for line in shown)


def lighter(source: Path, target: Path) -> None:
    """A picture of a third of the bytes: 256 colours are enough for a page."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(target, optimize=True)


def labels_without(source: Path, target: Path, title_id: str) -> None:
    """Label files without the rows of a title."""
    target.mkdir(exist_ok=True)
    for path in sorted(source.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        with (target / path.name).open("w", newline="", encoding="utf-8") as file:
            kept = [row for row in rows if row[0] != title_id]
            csv.writer(file, lineterminator="\n").writerows([header, *kept])


def prepare(tour: Tour, films: str, catalog: str, model: str) -> None:
    """Films to embeddings; what is there is kept."""
    tour.run("ingest", films, "-c", catalog, show=False)
    if not (tour.folder / model / "config.json").exists():
        tour.run("pretrain", "-c", catalog, "-o", model, show=False)
    tour.run("embed", "-c", catalog, "-m", model, show=False)


def search(tour: Tour, catalog: str) -> None:
    tour.draw("plot", "plot", TITLE, catalog=catalog, option="-o")
    tour.say("## Search")
    tour.draw("search", "search", "it is time to say goodbye", "-n", "5", catalog=catalog)
    tour.say("What is like a shot, in other titles; then like a clip, and like a whole title:")
    tour.draw(
        "similar",
        "similar",
        at(tour, catalog, TITLE, 0.5),
        "--elsewhere",
        "-n",
        "5",
        catalog=catalog,
    )
    tour.run(
        "similar",
        f"{at(tour, catalog, TITLE, 0.3)}-{at(tour, catalog, TITLE, 0.5).partition('@')[2]}",
        "--elsewhere",
        "-n",
        "4",
        catalog=catalog,
    )
    tour.run("similar", TITLE, "-n", "4", catalog=catalog)
    tour.say("The same shot out of context, by what encoders say of it alone:")
    tour.run(
        "similar",
        at(tour, catalog, TITLE, 0.5),
        "--elsewhere",
        "-n",
        "4",
        "-f",
        "fused",
        catalog=catalog,
    )


def story(tour: Tour, catalog: str) -> None:
    tour.say("## Scenes and arcs")
    tour.draw("scenes", "scenes", TITLE, catalog=catalog)
    tour.draw("arc", "arc", TITLE, catalog=catalog, option="-o")
    tour.draw("arc-season", "arc", SERIES, "--season", "1", catalog=catalog, option="-o")


def suggestions(tour: Tour, catalog: str) -> None:
    tour.say("## Suggestions")
    tour.draw("clips", "suggest", "clips", TITLE, "-n", "3", catalog=catalog)
    tour.draw("artwork", "suggest", "artwork", TITLE, "-n", "6", catalog=catalog)
    tour.draw("ad-breaks", "suggest", "ad-breaks", TITLE, "--spacing", "0:05", catalog=catalog)
    tour.run("suggest", "tags", TITLE, "-p", "clip-tone", catalog=catalog)
    tour.run("suggest", "cold-start", TITLE, "-n", "4", catalog=catalog)
    tour.run("suggest", "cold-start", "--out", "features.parquet", catalog=catalog)
    tour.say("Answers are labels that probes learn from:")
    shutil.rmtree(tour.folder / "mediafm-labels", ignore_errors=True)
    found = suggest_clips(
        Catalog.open(tour.folder / catalog), TITLE, 3,
        probes=FittedProbes(Catalog.open(tour.folder / catalog), tour.folder / "mediafm-probes"),
    ).found  # fmt: skip
    spans = [(format_time(one.span.start), format_time(one.span.end)) for one in found]
    places = [f"{TITLE}@{start}-{end}" for start, end in spans]
    tour.run("suggest", "accept", "clips", places[0], catalog=catalog)
    tour.run("suggest", "reject", "clips", places[2], catalog=catalog)
    longer = f"{spans[1][0]}-{format_time(found[1].span.end + 2 * US)}"
    tour.run("suggest", "correct", "clips", places[1], "--to", longer, catalog=catalog)
    tags = ("--tag", "tense", "--tag", "dark")
    tour.run("suggest", "correct", "tags", places[0], *tags, catalog=catalog)
    for name in ("clips", "tones"):
        tour.show(f"mediafm-labels/{name}.csv")


def exports(tour: Tour, catalog: str) -> None:
    tour.say("## Export")
    for file, *arguments in (
        ("clips.edl", "clips", TITLE),
        ("clips.otio", "clips", TITLE),
        ("shots.xml", "shots", TITLE),
        ("chapters.vtt", "scenes", TITLE),
        ("tags.vtt", "tags", TITLE, "-p", "clip-tone"),
        ("scenes.csv", "scenes", TITLE),
        ("scenes.jsonl", "scenes", TITLE),
        ("breaks.json", "ad-breaks", TITLE, "--spacing", "0:05"),
    ):
        tour.run("export", *arguments, "-o", file, catalog=catalog)
        tour.show(file, 26 if file == "breaks.json" else 9)
    for file, *arguments in (
        ("scenes.parquet", "scenes", TITLE),
        ("embeddings.parquet", "embeddings"),
        ("embeddings.npz", "embeddings"),
    ):
        tour.run("export", *arguments, "-o", file, catalog=catalog)
    shutil.rmtree(tour.folder / "my-dataset", ignore_errors=True)
    tour.run("export", "embeddings", "-o", "my-dataset", catalog=catalog)
    tour.show("my-dataset/README.md", 22)


def sample(tour: Tour) -> None:
    """The sample, with probes."""
    generate(tour.folder / "films")
    prepare(tour, "films", "sample", "sample-model")
    labels = tour.folder / "labels"
    labels_without(tour.folder / "films" / "labels", labels, TITLE)
    for task in built_in():
        if not (labels / load_task(task).labels.name).exists():
            continue  # of what people choose
        if not (tour.folder / "mediafm-probes" / task / "probe.json").exists():
            fit = ("probe", "fit", task, "--labels", "labels")
            tour.run(*fit, "-c", "sample", show=False)
    tour.say(
        f"Ten generated films ([sample](../README.md)); all labels but those of `{TITLE}` were "
        "used to fit the seven built-in probes. Ten films are few: what a probe says here is an "
        "example, not a measure ([Probes](probes.md) measures)."
    )
    search(tour, "sample")
    story(tour, "sample")
    suggestions(tour, "sample")
    exports(tour, "sample")


def film(tour: Tour, path: Path) -> None:
    """A real film, without labels and without timed text."""
    (tour.folder / "own").mkdir(exist_ok=True)
    link = tour.folder / "own" / path.name
    if not link.exists():
        link.symlink_to(path.resolve())
    tour.places[str(path.resolve().parent)] = "/films"
    prepare(tour, "own", "own-catalog", "own-model")
    catalog = Catalog.open(tour.folder / "own-catalog")
    [title] = [title.title_id for title in catalog.titles()]
    tour.say(
        f"## A film of one's own: {title}\n\nThe same without labels, on the only title of its "
        "catalog: every answer says what stands in for a probe. The film's pictures are not shown "
        "here; the commands draw them as above."
    )
    none = ("--probes", "no-probes")
    tour.run("similar", at(tour, "own-catalog", title, 0.3), "-n", "5", catalog="own-catalog")
    tour.run("scenes", title, *none, catalog="own-catalog")
    file = f"{tour.pictures}/arc-film.png"
    tour.run("arc", title, *none, "-o", "arc-film.png", catalog="own-catalog")
    plot_arc(catalog, find_arc(catalog, title), tour.folder / file, keyframes=False)
    tour.say(f"![The arc of a film]({file})")
    tour.run("suggest", "clips", title, *none, catalog="own-catalog")
    tour.run("suggest", "artwork", title, *none, "-o", "artwork", catalog="own-catalog")
    tour.run("suggest", "ad-breaks", title, *none, "--spacing", "2:00", catalog="own-catalog")
    tour.run("suggest", "tags", title, *none, catalog="own-catalog")
    tour.run("suggest", "cold-start", title, *none, catalog="own-catalog")
    tour.run("export", "scenes", title, *none, "-o", "film.vtt", catalog="own-catalog")
    tour.show("film.vtt", 9)
    tour.run("export", "clips", title, *none, "-o", "film.edl", catalog="own-catalog")
    tour.show("film.edl", 9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", default=Path("tour"))
    parser.add_argument("--film", type=Path, help="a film of yours")
    parser.add_argument("--docs", type=Path, help="folder that the page goes to as well")
    given = parser.parse_args()
    tour = Tour(given.out, "images/tour")
    tour.say("# A tour")
    tour.say(
        "Every command that puts embeddings to work, with what it prints and draws. This page is "
        "made by `python examples/tour.py`."
    )
    sample(tour)
    if given.film:
        film(tour, given.film)
    page = "\n\n".join(tour.page) + "\n"
    (given.out / "tour.md").write_text(page, encoding="utf-8")
    if given.docs:
        given.docs.mkdir(parents=True, exist_ok=True)
        (given.docs / "tour.md").write_text(page, encoding="utf-8")
        for path in (given.out / tour.pictures).glob("*.png"):
            lighter(path, given.docs / tour.pictures / path.name)
    print(f"{given.out / 'tour.md'}")


if __name__ == "__main__":
    main()
