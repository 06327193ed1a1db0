import pytest


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """Caches in a folder of the module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUWEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
