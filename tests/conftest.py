"""Eight simulated devices, strict promotion, and real data found or asked for."""

import gc
import importlib.metadata
import itertools
import os
import re
import runpy
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests compile far more than they compute: without LLVM's expensive passes and with XLA's older emitters, which later versions
# no longer have, the same programs are ready in a fifth of the time.
os.environ["XLA_FLAGS"] = " ".join([
    os.environ.get("XLA_FLAGS", ""), "--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false" if importlib.metadata.version("jaxlib").startswith("0.10.") else "",
])  # fmt: skip

import hypothesis
import jax
import numpy as np
import pytest
from absl import flags

# What one test compiled serves the others and the processes they start. The folder is made anew: no old program is tested.
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the folder of the process that started them
    PROGRAMS = tempfile.TemporaryDirectory(prefix="spectral_jax_tests_", ignore_cleanup_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = PROGRAMS.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
flags.FLAGS.mark_as_parsed()

# Property tests: the same 300 examples each time, or other 20,000 with --hypothesis-profile=long. Files and readers are made in
# an example, which takes longer than Hypothesis allows without being told.
hypothesis.settings.register_profile(
    "short", max_examples=300, derandomize=True, database=None, deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)  # fmt: skip
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("short"), max_examples=20_000, derandomize=False)
hypothesis.settings.load_profile("short")

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_finish():
    """What is imported by now stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


FILES, BUCKETS = itertools.count(1), itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def forgotten_programs():
    """Every twelfth test file nothing compiled stays in memory: it would grow to 7 GB, and to compile anew takes time too."""
    yield
    if next(FILES) % 12 == 0:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def load_command():
    """Runs a command's file and gives its names; its flags are forgotten after the test file: commands share their names."""
    from spectral_jax import launch

    defined = []

    def load(path: Path) -> dict:
        text = path.read_text()
        defined.extend(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', text))
        defined.extend(launch.CATALOGUE if "launch.DEFINE_catalogue()" in text else ())
        return runpy.run_path(str(path))

    yield load
    for name in defined:
        delattr(flags.FLAGS, name)


@pytest.fixture(scope="session")
def bucket_servers():
    """Servers for s3:// and gs:// on this machine; the environment tells every client, and every process started, of them."""
    from made import buckets

    ports = buckets.free_port(), buckets.free_port()
    servers = [buckets.start(buckets.s3_command(ports[0]), ports[0]), buckets.start(buckets.gcs_command(ports[1]), ports[1])]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in buckets.environment(*ports).items():
            patch.setenv(name, value)
        yield
    for server in servers:
        server.kill()
        server.wait()


@pytest.fixture(params=["s3", "gs"])
def bucket_address(request, bucket_servers) -> str:
    """The address of a new bucket, once of each kind."""
    from made import buckets

    name = f"bucket{next(BUCKETS)}-{os.getpid()}"
    buckets.make_bucket(request.param, name)
    return f"{request.param}://{name}"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real observations; a failure where CI requires it, else a skip that says so."""
    path = Path(os.environ.get("SPECTRAL_JAX_REAL_DATA", ROOT.parent / "shared" / "data"))
    return _need(path, "real observations")


@pytest.fixture(scope="session")
def oracles() -> Path:
    """The folder of other implementations' outputs."""
    path = Path(os.environ.get("SPECTRAL_JAX_ORACLES", ROOT.parent / "shared" / "oracles"))
    return _need(path, "oracles")


@pytest.fixture(scope="session")
def released() -> Path:
    """The folder of weights that others released."""
    data = Path(os.environ.get("SPECTRAL_JAX_REAL_DATA", ROOT.parent / "shared" / "data"))
    return _need(Path(os.environ.get("SPECTRAL_JAX_WEIGHTS", data.parent / "weights")), "released weights")


def _need(path: Path, what: str) -> Path:
    if path.is_dir():
        return path
    if os.environ.get("SPECTRAL_JAX_REQUIRE_REAL_DATA") == "1":
        pytest.fail(f"{what} are required and {path} does not exist; set SPECTRAL_JAX_REAL_DATA and SPECTRAL_JAX_ORACLES.")
    pytest.skip(f"{what} are not at {path}")
