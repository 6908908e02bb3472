"""Speaks to clinit's daemon with the varlink client from PyPI. The argument is the socket's path."""

import sys

import varlink

client = varlink.Client.new_with_address("unix:" + sys.argv[1])
assert "org.clinit.Init" in client.get_interfaces(), client.get_interfaces()

with client.open("org.clinit.Init") as init:
    status = init.Status()
    assert [group["name"] for group in status["groups"]] == ["web"], status
    assert init.Tell("web", "start")["reply"] == "level transition started"
    replies = list(init.Tell("web", "test", _more=True))
    assert [reply.get("outcome") for reply in replies] == [None, "settled"], replies
    assert replies[1]["state"] == "PASSED", replies
    assert init.Status("web")["groups"][0]["level"] == "test"
    assert init.Reread() == {"changed": False, "faults": [], "warnings": []}
    try:
        init.Tell("wbe", "start")
    except varlink.VarlinkError as error:
        assert error.error() == "org.clinit.Init.NoSuchGroup", error
        assert error.parameters()["suggestion"] == "web", error
    else:
        raise AssertionError("an unknown group was taken")
    assert init.Shutdown()["reply"] == "all groups halting"

print("all is well")
