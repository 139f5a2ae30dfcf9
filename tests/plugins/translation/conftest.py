import pytest
@pytest.fixture(scope="session")
def backends():
    from sixarts.testing.workers import workers
    yield workers()
