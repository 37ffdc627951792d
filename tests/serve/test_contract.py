"""Whatever is asked, by the API's own description or beside it: never an error of the server."""

import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mediafm.serve import create_app

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="session")
def api(library, tmp_path_factory):
    """On copies: requests write answers, and switch versions."""
    import dataclasses

    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copytree(library.catalog, folder / "catalog")
    own = dataclasses.replace(
        library,
        catalog=str(folder / "catalog"),
        labels=folder / "labels",
        cache=folder / "cache",
        hosts=("testserver",),
    )
    return schemathesis.openapi.from_asgi("/api/openapi.json", create_app(own))


REAL = [
    None,
    {"title_id": "title-000", "shot": 3, "page": 0, "name": "older", "features": "context",
     "a": "older", "b": "newer", "kind": "clips", "span": {"start": 0, "end": 6_000_000}},
    {"title_id": "shelf/box 5 & 6?", "shot": 1, "page": 0, "features": "fused", "version": "older",
     "kind": "tags", "time": 1_000_000, "q": "kettle"},
    {"title_id": "title-003", "features": "video", "name": "newer", "time": 5},
]  # fmt: skip
FILTERS = ("title", "series", "genre", "tag", "by")


def fuzz(api, examples, **options):
    """Asks every operation for what its description generates; gives what broke the contract."""
    broken = []
    for found in api.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=examples, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), **options,
        )  # fmt: skip
        @given(case=operation.as_strategy(), real=st.sampled_from(REAL), plain=st.booleans())
        def ask(case, real, plain):
            # By chance alone no title would ever be there, and no version.
            for given_ in (case.path_parameters, case.query, case.body):
                if isinstance(given_, dict) and real is not None:
                    given_ |= {name: real[name] for name in real if name in given_}
            if plain and real is not None and isinstance(case.query, dict):
                for name in ("version", "probe", "class", "v", *FILTERS):
                    case.query.pop(name, None)
            case.call_and_validate(checks=CHECKS)

        try:
            ask()
        except (Exception, BaseExceptionGroup) as error:
            reasons = getattr(error, "exceptions", [error])
            broken += [f"{operation.label}: {reason}" for reason in reasons]
    return broken


def test_the_api_keeps_its_contract(api):
    broken = fuzz(api, 12, derandomize=True, phases=[Phase.explicit, Phase.generate])
    assert not broken, "\n\n".join(broken)


@pytest.mark.slow
def test_the_api_keeps_its_contract_for_longer(api):
    broken = fuzz(api, 250)
    assert not broken, "\n\n".join(broken)
