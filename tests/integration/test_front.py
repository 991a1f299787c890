"""The dnf that speaks apt: its words against a recorded apt, its table against the packages that Debian has."""
import lzma
import os
import pathlib
import re
import subprocess
import urllib.request

import pytest

FRONT = pathlib.Path(__file__).resolve().parents[2] / "src/image/front"
MIRROR = os.environ.get("DOZE_MIRROR", "http://deb.debian.org/debian")

# What each suite has where a name has a number in it.
SUITES = {
    "bookworm": {"java-": "17", "php8.": "2", "ruby3.": "1", "postgresql": "15"},
    "trixie": {"java-": "21", "php8.": "4", "ruby3.": "3", "postgresql": "17"},
}
# These are in none of the two, and the front says so when they are asked for.
NOWHERE = {"java-1.8.0-amazon-corretto", "java-1.8.0-amazon-corretto-devel"}

APT = """#!/bin/sh
echo "apt-get $*" >>"$RECORD"
case $* in *openjdk-21*) exit 100 ;; esac
"""
APT_CACHE = r"""#!/bin/sh
verb=$1
shift
[ "$verb" = showpkg ] || { echo "Version: 18.20.4"; exit; }
for name in "$@"; do
	case $name in
	*t64 | 7zip | openjdk-21-*) ;;
	*) printf 'Package: %s\nVersions: \n1 (x)\n\nReverse Depends: \n  y,z\n' "$name" ;;
	esac
done
"""
DPKG_QUERY = """#!/bin/sh
for name in "$@"; do :; done
case $* in
*Priority*) case $name in passwd) echo "installed required" ;; vim) exit 1 ;; *) echo "installed optional" ;; esac ;;
*) echo "$name.amd64 1.0 @System" ;;
esac
"""


def rows():
    for line in (FRONT / "dnf-packages").read_text().splitlines():
        if line and not line.startswith("#"):
            name, words = re.split("\t+", line, maxsplit=1)
            yield name, words


class Front:
    """A tree with the front in it and programs that only record, first in PATH."""

    def __init__(self, work):
        for folder in ("usr/bin", "usr/share/doze", "fakes"):
            (work / folder).mkdir(parents=True)
        self.dnf = work / "usr/bin/dnf"
        self.dnf.write_text((FRONT / "dnf").read_text())
        (work / "usr/share/doze/dnf-packages").write_text((FRONT / "dnf-packages").read_text())
        for name, text in (("apt-get", APT), ("apt-cache", APT_CACHE), ("dpkg-query", DPKG_QUERY),
                           ("python3", "#!/bin/sh\necho 11\n"), ("ln", "#!/bin/sh\n"), ("rm", "#!/bin/sh\n")):
            (work / "fakes" / name).write_text(text)
            (work / "fakes" / name).chmod(0o755)
        self.record = work / "record"
        self.env = {"PATH": f"{work}/fakes:/usr/bin:/bin", "RECORD": str(self.record)}

    def __call__(self, *words, **more):
        """Its exit status, what apt was told, and what it said on standard error."""
        self.record.write_text("")
        done = subprocess.run(["sh", self.dnf, *words], env={**self.env, **more}, capture_output=True, text=True)
        self.out = done.stdout
        told = [line for line in self.record.read_text().splitlines() if line != "apt-get update -qq"]
        return done.returncode, told, done.stderr

    def installs(self, *words):
        """The packages of the one call of apt that follows."""
        status, told, said = self(*words)
        assert status == 0 and len(told) == 1, (words, told, said)
        head = "apt-get install -qq -y --no-install-recommends "
        assert told[0].startswith(head), told
        return told[0][len(head):].split()


@pytest.fixture
def dnf(tmp_path):
    return Front(tmp_path)


@pytest.mark.parametrize("words, packages", [
    (("-y", "install", "gcc-c++", "make"), "g++ make"),
    (("install", "-y", "--setopt=install_weak_deps=False", "--nodocs", "which"), "debianutils"),
    (("--setopt", "install_weak_deps=False", "install", "-y", "tar"), "tar"),
    (("install", "-y", "--releasever", "2023.6", "--best", "--allowerasing", "jq.x86_64"), "jq"),
    (("install", "--enablerepo", "x", "-x", "vim", "less"), "less"),
    (("reinstall", "-q", "-y", "tzdata.noarch"), "tzdata"),
    (("install", "-y", "python3", "python3-pip"), "python3 python3-venv python3-pip python3-venv"),
    (("install", "-y", "python3.11-devel"), "python3-dev"),
    (("install", "-y", "java-17-amazon-corretto-headless"), "openjdk-17-jre-headless"),
    (("install", "-y", "postgresql15-server", "php8.2-mysqlnd"), "postgresql-15 php8.2-mysql"),
    (("install", "-y", "docker"), "docker.io docker-cli"),
    (("install", "-y", "alsa-lib", "p7zip"), "libasound2 p7zip-full"),
    (("install", "-y", "@development"), None),
    (("groupinstall", "-y", "Development Tools"), None),
    (("group", "install", "-y", "Development Tools"), None),
    (("module", "install", "-y", "php:8.2/devel"), "php8.2-cli php8.2-common"),
    (("swap", "-y", "libcurl-minimal", "libcurl-full"), "libcurl4"),
    (("swap", "-y", "vim-enhanced", "nano"), "nano"),
])
def test_dnf_installs_what_the_name_means(dnf, words, packages):
    got = dnf.installs(*words)
    assert got == packages.split() if packages else {"build-essential", "autoconf", "git"} <= set(got)


@pytest.mark.parametrize("words, sentence", [
    (("install", "-y", "wmdocker"), "wmdocker is not known to this base's dnf"),
    (("install", "-y", "gcc", "no-such-thing"), "no-such-thing is not known"),
    (("install", "-y", "nginx-1.24.0"), "nginx-1.24.0 pins a version of Amazon Linux"),
    (("install", "-y", "nginx-1.24.0-1.amzn2023.x86_64"), "say nginx"),
    (("install", "-y", "php8.2*"), "is a pattern"),
    (("install", "-y", "https://example.com/x.rpm"), "is an RPM"),
    (("localinstall", "-y", "./x.rpm"), "is an RPM"),
    (("install", "-y", "amazon-cloudwatch-agent"), "Debian has it not"),
    (("install", "-y", "dotnet-sdk-8.0"), "`doze base import`"),
    (("install", "-y", "epel-release"), "RPMs"),
    (("install", "-y", "python3.14"), "Python 3.14 is not here, but 3.11"),
    (("install", "-y", "java-21-amazon-corretto"), "has no openjdk-21-jre"),
    (("install", "-y", "nodejs22"), "Node 22 is not offered"),
    (("--installroot=/r", "install", "-y", "gcc"), "this image only"),
    (("--installroot", "/r", "install", "-y", "gcc"), "this image only"),
    (("config-manager", "--add-repo", "https://example.com/x.repo"), "a repository of RPMs"),
    (("builddep", "x.spec"), "'builddep' is not understood"),
    (("repoquery", "gcc"), "'repoquery' is not understood"),
])
def test_dnf_fails_with_a_sentence_and_brings_nothing_else(dnf, words, sentence):
    status, told, said = dnf(*words)
    assert status != 0, (told, said)
    assert sentence in said and "error: " in said
    assert "wmdocker" not in " ".join(told)


@pytest.mark.parametrize("words, told", [
    (("remove", "-y", "gcc", "vim", "shadow-utils"), ["apt-get remove -qq -y gcc libc6-dev"]),
    (("clean", "all"), ["apt-get clean"]),
    (("update", "-y"), ["apt-get upgrade -qq -y"]),
    (("upgrade", "--refresh", "-y"), ["apt-get upgrade -qq -y"]),
    (("update", "-y", "openssl"), ["apt-get install -qq -y --only-upgrade openssl"]),
    (("makecache",), []),
    (("module", "enable", "nodejs:20"), []),
    (("repolist",), []),
    (("install", "-y", "glibc-minimal-langpack", "dnf-command(config-manager)"), []),
    (("install", "-y", "--downloadonly", "gcc"),
     ["apt-get install -qq -y --no-install-recommends --download-only gcc libc6-dev"]),
])
def test_dnf_says_its_other_verbs_to_apt(dnf, words, told):
    status, got, said = dnf(*words)
    assert (status, got) == (0, told), said


def test_dnf_lists_what_is_installed(dnf):
    assert dnf("list", "installed", "gcc")[0] == 0
    assert "libc6-dev.amd64" in dnf.out or "gcc.amd64" in dnf.out


def test_an_older_python_is_taken_where_the_operator_allows_it(dnf):
    status, _, said = dnf("install", "-y", "python3.14", DOZE_STAND_IN_OLDER="1")
    assert status == 0 and "3.11 answers to its names" in said


def test_no_name_stands_in_the_table_twice():
    names = [name for name, _ in rows()]
    assert len(names) == len(set(names))


def packages_of(suite):
    """The names of all packages of this suite's main part, and what they provide."""
    names = set()
    with urllib.request.urlopen(f"{MIRROR}/dists/{suite}/main/binary-amd64/Packages.xz", timeout=60) as answer:
        text = lzma.decompress(answer.read()).decode()
    for line in text.splitlines():
        if line.startswith("Package: "):
            names.add(line[9:])
        elif line.startswith("Provides: "):
            names.update(each.split()[0] for each in line[10:].split(", "))
    return names


@pytest.mark.parametrize("suite", sorted(SUITES))
def test_each_word_of_the_table_is_a_package_of_the_suite(suite):
    have, looked, absent = packages_of(suite), 0, []
    for name, words in rows():
        if words[0] in "-!":
            continue
        digits = next((number for start, number in SUITES[suite].items() if name.startswith(start)), "")
        for word in words.replace("#", digits).split():
            looked += 1
            alternatives = [each for part in word.split("|")
                            for each in ([part[:-1] + "t64", part[:-1]] if part.endswith("~") else [part])]
            if not set(alternatives) & have and name not in NOWHERE:
                absent.append((name, word))
    assert looked > 500 and not absent
