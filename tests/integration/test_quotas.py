"""What an account may have and how often it may call, at the control role; see control_rig.py."""
import collections
import random

import pytest

from control_rig import ACCOUNT, ALONE, BUILD, Control, wait_for
from signed import V, Api, Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

TENANT = "222222222222"
QUOTAS = "/doze/v1/quotas"


@pytest.fixture
def control():
    rig = Control(machines=True)
    rig.api.call("POST", "/doze/v1/accounts", {"account": TENANT, "name": "tenant"})
    yield rig
    rig.close()


def tenant_api(control):
    key = control.api.call("POST", f"/doze/v1/keys?account={TENANT}", {"name": "someone"})
    return Api(control, key["accessKeyId"], key["secretAccessKey"], control.api.region)


def quotas(api, account=None):
    answer = api.call("GET", QUOTAS + (f"?account={account}" if account else ""))
    return {row["name"]: row for row in answer["items"]}


def set_quota(control, name, value, account=ACCOUNT):
    return control.api.call("PUT", f"{QUOTAS}/{name}?account={account}", {"value": value})


def refused(status, code, call, *words, **named):
    with pytest.raises(Refused) as caught:
        call(*words, **named)
    assert (caught.value.status, caught.value.code) == (status, code), caught.value
    return caught.value.message


def test_a_quota_of_an_account_is_its_own_and_outlives_a_crash(control):
    made = set_quota(control, "images", 1, TENANT)
    assert made["account"] == TENANT and made["quota"]["value"] == 1 and made["quota"]["own"]
    control.restart()
    assert quotas(control.api, TENANT)["images"]["value"] == 1
    assert quotas(control.api)["images"]["value"] == 100
    api = tenant_api(control)
    assert quotas(api)["images"] == {**quotas(control.api, TENANT)["images"]}
    api.create_image("one", **BUILD)
    assert "maximum number of MicroVM images" in refused(402, "ServiceQuotaExceededException", api.create_image, "two", **BUILD)
    control.api.create_image("two", **BUILD)
    control.api.call("DELETE", f"{QUOTAS}/images?account={TENANT}")
    assert not quotas(api)["images"]["own"]
    api.create_image("two", **BUILD)


def test_the_account_of_the_configuration_can_have_quotas_of_its_own(control):
    set_quota(control, "microvms", 1)
    control.restart()
    image = control.make_image("hello")
    control.run(image)
    assert "memory" in refused(402, "ServiceQuotaExceededException", control.api.run, image)
    refused(409, "ConflictException", control.api.call, "DELETE", f"/doze/v1/accounts/{ACCOUNT}")


def test_wrong_quotas_are_refused_with_a_sentence(control):
    api = tenant_api(control)
    message = refused(404, "ResourceNotFoundException", set_quota, control, "imagse", 1)
    assert "doze quota ls" in message
    assert "at most 16000" in refused(400, "ValidationException", set_quota, control, "microvms", 16001)
    refused(400, "ValidationException", set_quota, control, "microvms", 0)
    refused(404, "ResourceNotFoundException", set_quota, control, "microvms", 1, "999999999999")
    refused(403, "AccessDeniedException", api.call, "PUT", f"{QUOTAS}/images", {"value": 1000})
    refused(403, "AccessDeniedException", api.call, "DELETE", f"{QUOTAS}/images")
    refused(403, "AccessDeniedException", api.call, "GET", f"{QUOTAS}?account={ACCOUNT}")


def test_an_account_that_is_made_again_has_none_of_the_old_quotas(control):
    set_quota(control, "images", 1, TENANT)
    control.api.call("DELETE", f"/doze/v1/accounts/{TENANT}")
    refused(404, "ResourceNotFoundException", set_quota, control, "images", 2, TENANT)
    control.api.call("POST", "/doze/v1/accounts", {"account": TENANT, "name": "again"})
    assert not quotas(control.api, TENANT)["images"]["own"]


def test_an_account_that_calls_too_often_is_told_when_to_come_back(control):
    api = tenant_api(control)
    set_quota(control, "get-rate", 2, TENANT)
    path = f"{V}/microvms/microvm-00000000-0000-0000-0000-000000000000"
    answers = [api.raw("GET", path) for _ in range(12)]
    limited = [headers for status, headers, _ in answers if status == 429]
    assert len(limited) >= 6, [status for status, _, _ in answers]
    assert all(h["x-amzn-errortype"] == "ThrottlingException" and int(h["retry-after"]) == 1 for h in limited)
    assert control.api.raw("GET", path)[0] == 404, "another account waits for nobody"
    assert api.raw("GET", f"{V}/microvms")[0] == 200, "and neither does another operation"
    wait_for("its second is over", lambda: api.raw("GET", path)[0] == 404)


def test_the_preset_has_the_service_s_own_quotas():
    rig = Control(settings="[limits]\npreset = aws\n")
    try:
        values = {name: row["value"] for name, row in quotas(rig.api).items()}
        assert values == {"memory-mib": 409600, "microvms": 4000, "images": 100, "versions": 50, "builds": 5, "connectors": 100,
                          "connector-versions": 50, "run-rate": 5, "resume-rate": 5, "suspend-rate": 2, "terminate-rate": 10,
                          "get-rate": 100, "auth-token-rate": 50, "shell-token-rate": 5}
        made = [rig.api.later("create_image", f"image-{n}", **BUILD) for n in range(8)]
        failed = [f.exception() for f in made if f.exception()]
        assert [(e.status, e.code) for e in failed] == [(402, "ServiceQuotaExceededException")] * 3
        assert "concurrent builds" in str(failed[0])
        assert quotas(rig.api)["builds"]["used"] == 5
    finally:
        rig.close()


def test_accounts_take_turns_with_their_builds():
    rig = Control(settings="[build]\nat_once = 1\n")
    try:
        rig.api.call("POST", "/doze/v1/accounts", {"account": TENANT, "name": "tenant"})
        api = tenant_api(rig)
        for n in range(4):
            rig.api.create_image(f"busy-{n}", **BUILD)
        late = api.create_image("late", **BUILD)
        for n in range(2):
            rig.image.finish_next(n)
        wait_for("the one of the other account is built", lambda: api.image(late)["state"] == "CREATED")
        assert len(rig.image.started) <= 3, "not behind all of the busy one's"
    finally:
        rig.close()


def test_what_is_used_is_what_the_rows_say_after_any_history_and_a_crash(control):
    api, dice = tenant_api(control), random.Random(5)
    images = {who: control.make_image("hello") if who is control.api else None for who in (control.api, api)}
    seen = len(control.image.started)
    images[api] = api.create_image("hello", **BUILD)
    control.image.finish_next(seen)
    wait_for("the tenant's image is there", lambda: api.image(images[api])["state"] == "CREATED")
    alive = collections.defaultdict(list)
    for _ in range(60):
        who = dice.choice([control.api, api])
        if not alive[who] or dice.random() < 0.5:
            alive[who].append(who.run(images[who]))
        else:
            who.terminate(alive[who].pop(dice.randrange(len(alive[who]))))
    for _ in range(2):
        for who, account in ((control.api, ACCOUNT), (api, TENANT)):
            def counted(who=who, account=account):
                rows = control.rows("microvm WHERE account = ? AND state NOT IN ('TERMINATED')", account)
                used = {name: row["used"] for name, row in quotas(who).items()}
                return len(rows) == len(alive[who]) == used["microvms"] and used["memory-mib"] == 2048 * len(rows)
            wait_for("the counts are those of the rows", counted, 30)
        control.restart()
