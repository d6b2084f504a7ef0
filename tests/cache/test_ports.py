from roost.cache.ports import Ports

ANY = ("TCP", "0.0.0.0", 80)
ONE = ("TCP", "10.0.0.1", 80)


def users(ports: Ports, protocol: str = "TCP", port: int = 80, size: int = 4) -> dict[str, list[int]]:
    return {ip: counts.tolist() for ip, counts in ports.users(protocol, port, size).items()}


def test_a_port_that_nobody_ever_held_has_no_users() -> None:
    assert users(Ports()) == {}


def test_users_are_counted_by_address_and_slot() -> None:
    ports = Ports()
    ports.add(1, [ANY], 1)
    ports.add(2, [ANY, ONE], 1)
    assert users(ports) == {"0.0.0.0": [0, 1, 1, 0], "10.0.0.1": [0, 0, 1, 0]}


def test_protocols_and_ports_are_apart() -> None:
    ports = Ports()
    ports.add(0, [ANY, ("UDP", "0.0.0.0", 80), ("TCP", "0.0.0.0", 81)], 1)
    assert users(ports) == users(ports, "UDP") == users(ports, "TCP", 81) == {"0.0.0.0": [1, 0, 0, 0]}


def test_two_pods_with_one_port_are_two_users() -> None:
    """They cannot be placed so, but bound so by others; when one goes, the port is still taken."""
    ports = Ports()
    ports.add(0, [ANY], 1)
    ports.add(0, [ANY], 1)
    ports.add(0, [ANY], -1)
    assert users(ports)["0.0.0.0"][0] == 1


def test_what_nobody_holds_any_more_is_forgotten() -> None:
    ports = Ports()
    ports.add(1, [ANY, ONE], 1)
    ports.add(1, [ONE], -1)
    assert users(ports) == {"0.0.0.0": [0, 1, 0, 0]}
    ports.add(1, [ANY], -1)
    assert users(ports) == {}


def test_a_pod_that_holds_a_port_twice_gives_it_back_twice() -> None:
    ports = Ports()
    ports.add(0, [ANY, ANY], 1)
    ports.add(0, [ANY, ANY], -1)
    assert users(ports) == {}


def test_a_slot_whose_pods_are_taken_off_holds_no_port() -> None:
    ports = Ports()
    ports.add(1, [ANY, ONE], 1)
    ports.add(2, [ANY], 1)
    ports.add(1, [ANY, ONE], -1)
    assert users(ports) == {"0.0.0.0": [0, 0, 1, 0]}


def test_a_column_is_a_copy_that_later_changes_do_not_reach() -> None:
    ports = Ports()
    ports.add(1, [ANY], 1)
    before = ports.users("TCP", 80, 4)["0.0.0.0"]
    ports.add(2, [ANY], 1)
    assert before.tolist() == [0, 1, 0, 0]
