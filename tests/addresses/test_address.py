"""What an address is, and what is told of those that cannot be used."""

import pathlib

import pytest

from spectral_jax.addresses import address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gs://b/run", True),
        ("s3://b", True),
        ("https://x.org/a.tif", True),
        ("gs:/b/run", True),
        ("/data/a", False),
        ("C:/run", False),
        ("file:///a", False),
        ("runs/a:b", False),
        (pathlib.Path("a"), False),
    ],
)
def test_an_address_is_told_from_a_path(text, expected):
    assert address.is_address(text) is expected


@pytest.mark.parametrize(
    ("text", "written", "sentence"),
    [
        ("gss://b/a", False, r"--out: expected a path, or an address that begins with one of gs://, .*; got gss://b/a"),
        ("hdfs://b/a", False, "begins with one of .*s3://"),
        ("https://x.org/a", True, "--out: https://x.org/a can only be read; to write, give a path or an address"),
        ("gs:/b/a", False, "--out: gs:/b/a has lost a slash: an address goes gs://b/a; in Python keep addresses as texts"),
        ("s3:///a", True, "--out: s3:///a names no bucket; expected s3://BUCKET/path"),
        ("https:///a", False, "names no server"),
    ],
)
def test_what_cannot_be_used_is_refused(text, written, sentence):
    with pytest.raises(ValueError, match=sentence):
        address.checked(text, "--out", written)


def test_a_slash_at_the_end_changes_nothing_and_names_are_joined():
    assert address.checked("gs://b/run/", "--out") == "gs://b/run"
    assert address.joined("gs://b/run/", "a", "c.txt") == "gs://b/run/a/c.txt"
    assert [address.last(a) for a in ("gs://b/run/", "gs://b/x/m.npz", "s3://b")] == ["run", "m.npz", "b"]


def test_tensorstore_is_told_of_a_server_of_ones_own(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    assert address.kvstore("s3://b/store.zarr") == "s3://b/store.zarr/"
    assert address.kvstore("gs://b/store.zarr/") == "gs://b/store.zarr/"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    expected = {
        "driver": "s3",
        "bucket": "b",
        "path": "a/store.zarr/",
        "endpoint": "http://127.0.0.1:9",
        "aws_region": "us-east-1",
    }
    assert address.kvstore("s3://b/a/store.zarr") == expected | {"aws_credentials": {"type": "anonymous"}}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert address.kvstore("s3://b/a/store.zarr") == expected | {
        "aws_region": "eu-west-1",
        "aws_credentials": {"type": "environment"},
    }
