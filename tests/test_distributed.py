"""What the processes of a run do together; here they are threads with a store of torch's."""

from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest

import pytest
from torch.distributed import HashStore, TCPStore

from vanbench.distributed import ALONE, ONE, Processes, Team, processes
from vanbench.errors import DataError, InternalError, ProcessError

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@pytest.fixture(params=[1, 2, 3])
def together(request):
    """Calls a function of a team, in that many processes; the results by rank."""

    def call(function, local_size=request.param):
        store, size = HashStore(), request.param

        def one(rank):
            here = Processes(rank, size, rank % local_size, local_size)
            return function(Team(here, store))

        with ThreadPoolExecutor(size) as pool:
            return list(pool.map(one, range(size)))

    call.size = request.param
    return call


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("3 8 1 2", Processes(3, 8, 1, 2)),
        ("0 1 0 1", ONE),
        ("3 8", ONE),
        ("x 8 1 2", ONE),
    ],
)
def test_torchruns_environment(values, expected, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in zip(VARIABLES, values.split(), strict=False):
        monkeypatch.setenv(name, value)
    assert processes() == expected


def test_who_does_what():
    first, leader, other = Processes(), Processes(2, 4, 0, 2), Processes(3, 4, 1, 2)
    assert [p.is_first for p in (first, leader, other)] == [True, False, False]
    assert [p.leads_node for p in (first, leader, other)] == [True, True, False]
    assert [p.is_alone for p in (first, leader, other)] == [True, False, False]


def test_values_are_gathered_by_rank(together):
    found = together(lambda team: [team.gather(team.here.rank), team.gather("x")])
    assert found == [[list(range(together.size)), ["x"] * together.size]] * together.size


def test_the_first_process_gives_all_its_value(together):
    def run(team):
        return team.at_first(lambda: team.here.rank), team.at_first(lambda: team.here.size)

    assert together(run) == [(0, together.size)] * together.size


def test_the_first_process_gives_all_its_error(together):
    def fail():
        raise DataError("no images", where="/data")

    def run(team):
        with pytest.raises(DataError, match="/data: no images") as raised:
            team.at_first(fail)
        return raised.value.where

    assert together(run) == ["/data"] * together.size


def test_one_process_of_each_node_gives_the_node_its_value(together):
    found = together(lambda team: team.on_each_node(lambda: team.here.rank), local_size=2)
    assert found == [0, 0, 2][: together.size]


@pytest.mark.parametrize("error", [DataError("no images"), ZeroDivisionError("no images")])
def test_an_error_of_any_process_is_that_of_all(error, together):
    def fail(team):
        if team.here.rank == team.here.size - 1:
            raise error
        return team.here.rank

    def run(team):
        kind = DataError if isinstance(error, DataError) or team is ALONE else InternalError
        with pytest.raises((kind, type(error)), match="no images") as raised:
            team.agree(lambda: fail(team))
        assert team.gather(1) == [1] * team.here.size  # and the processes are still in step
        return str(raised.value)

    rank = together.size - 1
    place = f" (in the process of rank {rank})" if rank else ""
    assert all(text.rstrip(".").endswith(f"no images{place}") for text in together(run))


def test_without_an_error_each_process_has_its_own_value(together):
    assert together(lambda team: team.agree(lambda: team.here.rank)) == [*range(together.size)]


@pytest.mark.parametrize("total", [0, 1, 2, 31, 1000])
def test_every_index_is_claimed_once(total, together):
    indices = [7 * i for i in range(total)]

    def run(team):
        return [list(piece) for piece in team.claim("images", indices, most=10)]

    pieces = [piece for found in together(run) for piece in found]
    assert sorted(index for piece in pieces for index in piece) == indices
    assert all(0 < len(piece) <= 10 for piece in pieces)


def test_pieces_get_small_towards_the_end():
    """A process that is slow with its last piece keeps the others waiting for one image only."""
    store = HashStore()
    teams = [Team(Processes(rank, 2, rank, 2), store) for rank in range(2)]
    claims = [team.claim("images", range(1000), most=32) for team in teams]
    sizes = [len(piece) for pair in zip_longest(*claims, fillvalue=()) for piece in pair]
    assert sum(sizes) == 1000
    assert sizes[0] == 32
    assert max(sizes[-4:]) == 1


def test_nothing_is_left_of_closed_work(together):
    def run(team):
        if team.here.is_first:
            team.close("images", range(100))
        team.gather(None)
        return list(team.claim("images", range(100), most=10))

    if together.size > 1:
        assert together(run) == [[]] * together.size


def test_the_first_process_receives_what_the_others_send_in_order(together):
    def run(team):
        if not team.here.is_first:
            for number in range(3):
                team.send(number)
        team.gather(None)
        return list(team.receive()) if team.here.is_first else None

    expected = [(rank, number) for rank in range(1, together.size) for number in range(3)]
    assert together(run)[0] == expected


def test_a_store_that_is_gone_is_an_error_of_the_run():
    """It was with the launcher of the first process."""
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    team = Team(Processes(1, 2), TCPStore("127.0.0.1", server.port, is_master=False))
    team.send("before")
    del server
    with pytest.raises(ProcessError, match="the first process of the run, or its launcher"):
        team.send("after")
        team.gather("after")


def test_an_error_keeps_its_fields_on_its_way():
    store = HashStore()
    teams = [Team(Processes(rank, 2, rank, 2), store) for rank in range(2)]
    teams[1].send(DataError("problem", where="place", remedy="remedy", cause="cause"))
    ((rank, found),) = teams[0].receive()
    assert (rank, found.where, found.remedy, found.cause) == (1, "place", "remedy", "cause")
