"""Small Dockerfiles, each with what must come of it: the language as BuildKit's published reference describes it, by feature.

A row: the feature, the Dockerfile, then any of files= (of the context), has= (path: content, None for nothing there), owns= (path:
(mode, uid, gid)), capable= (paths that keep the capabilities of /usr/capped), config= (members of the image's configuration), log=
(must be in the log), fails= (must be in the reason).
`short=1` rows run in every check, one or more of each kind.
"""
F = "FROM busy:1\n"
FILES = {"a.txt": "hello\n", "b.txt": "b\n", "d/x.o": "o\n", "d/y.c": "c\n", "d/e/z.c": "z\n"}
ROWS = []


def row(feature, dockerfile, **how):
    ROWS.append((feature, dockerfile, how))


def prints(feature, before, expression, expected, **how):
    """What RUN sees of an expression."""
    row(feature, f'{before}RUN echo "{expression}" > /o\n', has={"/o": expected + "\n"}, **how)


def expands(forms, value="v1.2.3"):
    """All of them in one ENV: form → expected."""
    names = [f"X{n}" for n in range(len(forms))]
    text = F + f"ARG V={value}\nENV " + " ".join(f'{n}="{f}"' for n, f in zip(names, forms)) + "\nRUN env > /o\n"
    return text, {f"{n}={e}" for n, e in zip(names, forms.values())}


# Variables: the forms of ${...} in an instruction
for feature, forms, short in (
        ("${V#pattern} ${V##pattern}", {"${V#v}": "1.2.3", "${V##*.}": "3", "${V#*.}": "2.3", "${V#?}": "1.2.3", "${V#x}": "v1.2.3"}, 1),
        ("${V%pattern} ${V%%pattern}", {"${V%.*}": "v1.2", "${V%%.*}": "v1", "${V%3}": "v1.2.", "${V%x}": "v1.2.3"}, 1),
        ("${V/a/b} ${V//a/b}", {"${V/./-}": "v1-2.3", "${V//./-}": "v1-2-3", "${V//./}": "v123", "${V/v*2/x}": "x.3"}, 1),
        ("${V:-x} ${V-x}", {"${V:-x}": "v1.2.3", "${N:-x}": "x", "${N-x y}": "x y", "${N:-${V#v}}": "1.2.3"}, 1),
        ("${V:+x} ${V+x}", {"${V:+x}": "x", "${N:+x}": "", "${V+y}": "y", "${N+y}": ""}, 1),
        ("$V ${V} and escapes", {"$V": "v1.2.3", "a${V}b": "av1.2.3b", "\\$V": "$V", "$N": "", "100%": "100%"}, 0)):
    text, lines = expands(forms)
    row(f"variables: {feature}", text, lines=lines, short=short)
row("variables: ${V:?error}", F + 'ENV A="${N:?give N}"\n', fails="the variable N is missing: give N", short=1)
row("variables: ${V?error} of one that is set", F + 'ARG V=\nENV A="x${V?no}"\n', config={"Env": ["A=x"]})
prints("variables: in WORKDIR", F + "ARG V=v1.2\nWORKDIR /opt/${V#v}\n", "$PWD", "/opt/1.2", short=1)
row("variables: in COPY", F + "ARG N=a D=/x\nCOPY ${N}.txt ${D}/\n", has={"/x/a.txt": "hello\n"})
row("variables: in COPY --chown and --chmod", F + "ARG U=web M=600\nCOPY --chown=$U:$U --chmod=$M a.txt /x\n", owns={"/x": ("600", 1000, 1000)})
row("variables: in ADD", F + "ARG N=a\nADD ${N}.txt /x\n", has={"/x": "hello\n"})
row("variables: in EXPOSE", F + "ARG P=80-81\nEXPOSE $P ${Q:-90}/udp\n", config={"ExposedPorts": {"80/tcp": {}, "81/tcp": {}, "90/udp": {}}})
row("variables: in LABEL", F + 'ARG V=v1\nLABEL a=${V#v} "b c"="$V d"\n', labels={"a": "1", "b c": "v1 d"})
row("variables: in USER", F + "ARG U=web\nUSER ${U}:staff\nRUN id -u > /tmp/o; id -g >> /tmp/o\n", has={"/tmp/o": "1000\n50\n"}, config={"User": "web:staff"})
row("variables: in VOLUME", F + "ARG V=/x\nVOLUME $V/y\n", config={"Volumes": {"/x/y": {}}})
row("variables: in STOPSIGNAL", F + "ARG S=QUIT\nSTOPSIGNAL SIG$S\n", config={"StopSignal": "SIGQUIT"})
row("variables: in --mount", F + "ARG T=t\nRUN --mount=source=a.txt,target=/m/$T cat /m/t > /o\n", has={"/o": "hello\n"})
row("variables: not in CMD and ENTRYPOINT", F + 'ARG V=1\nENTRYPOINT ["a", "$V"]\nCMD ["$V"]\n', config={"Entrypoint": ["a", "$V"], "Cmd": ["$V"]})
prints("variables: RUN's are the shell's", F + "ENV A=1\n", "${A#1}${B:-2} \\$A", "2 $A")
row("variables: in FROM", "ARG B=xbusy TAG=1\nFROM ${B#x}:${TAG:-2}\nRUN touch /o\n", has={"/o": ""}, short=1)
row("variables: all values of one ENV see those before it", F + "ENV A=1\nENV A=2 B=$A\nRUN echo $A$B > /o\n", has={"/o": "21\n"})
# ARG and ENV
prints("ARG: a default", F + "ARG A=x\n", "$A", "x")
prints("ARG: without a value", F + "ARG A\n", "[$A]", "[]")
prints("ARG: several in one line", F + 'ARG A=1 B="2 3" C\n', "$A$B$C", "12 3")
prints("ARG: one of another", F + "ARG A=1\nARG B=$A.2\n", "$B", "1.2")
prints("ARG: before FROM, asked for in the stage", "ARG G=g\n" + F + "ARG G\n", "$G", "g")
prints("ARG: before FROM, not asked for", "ARG G=g\n" + F, "[$G]", "[]")
prints("ARG: before FROM, with another value in the stage", "ARG G=g\n" + F + "ARG G=h\n", "$G", "h")
prints("ARG: a stage's own are inherited by stages on top", "FROM busy:1 AS p\nARG A=1\nFROM p\n", "$A", "1", short=1)
prints("ARG: not by other stages", "FROM busy:1 AS p\nARG A=1\nRUN touch /p\n" + F + "COPY --from=p /p /p\n", "[$A]", "[]")
row("ARG: is not in the image", F + "ARG A=1\nRUN echo $A\n", config={"Env": []})
prints("ARG: ENV of the same name wins", F + "ARG A=1\nENV A=2\n", "$A", "2", short=1)
row("ARG: ENV of the same name wins in a later RUN", F + "ARG A=1\nRUN true\nENV A=2\nRUN echo $A > /o\n", has={"/o": "2\n"}, config={"Env": ["A=2"]})
row("ARG: one behind the ENV counts in the build", F + "ENV A=1\nARG A=2\nENV B=$A\n", config={"Env": ["A=1", "B=2"]})
prints("ARG: platforms", F + "ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH\n",
       "$TARGETPLATFORM $TARGETOS $TARGETARCH [$TARGETVARIANT] $BUILDPLATFORM $BUILDARCH", "linux/amd64 linux amd64 [] linux/amd64 amd64", short=1)
row("FROM --platform=$BUILDPLATFORM", "FROM --platform=$BUILDPLATFORM busy:1\nRUN touch /o\n", has={"/o": ""})
row("ENV: the old form", F + "ENV A b  c\nENV B \"x y\"\n", config={"Env": ["A=b  c", "B=x y"]}, short=1)
row("ENV: quotes and escapes", F + "ENV A='$B' B=\"it's \\\"x\\\"\" C=a\\ b D='a\"b' E=é\n",
    config={"Env": ["A=$B", "B=it's \"x\"", "C=a b", "D=a\"b", "E=é"]}, short=1)
row("ENV: over lines", F + "ENV A=1 \\\n  B=2 \\\n# no\n  C=3\n", config={"Env": ["A=1", "B=2", "C=3"]})
prints("ENV: from the base", F, "$PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
prints("ENV: PATH grows", F + "ENV PATH=/x:$PATH\n", "${PATH%%:*}", "/x")
# Stages
row("stages: names know no case", "FROM busy:1 AS Builder\nRUN echo 1 > /m\nFROM busy:1 as Run\nCOPY --from=bUILDER /m /m\nFROM run\n", has={"/m": "1\n"}, short=1)
row("stages: by number", "FROM busy:1\nRUN echo 1 > /m\nFROM scratch\nCOPY --from=0 /m /m\n", has={"/m": "1\n"})
row("stages: one on another", "FROM busy:1 AS a\nENV A=1\nWORKDIR /w\nFROM a AS b\nRUN echo $A > o\nFROM b\nRUN cat o > p\n", has={"/w/p": "1\n"})
row("stages: unused ones are not built", "FROM nowhere.invalid/x AS no\nRUN x\nFROM busy:1 AS no2\nRUN exit 1\n" + F + "RUN touch /o\n", has={"/o": ""}, short=1)
row("stages: a name twice, the last counts", "FROM busy:1 AS a\nRUN echo 1 > /m\nFROM busy:1 AS a\nRUN echo 2 > /m\nFROM busy:1\nCOPY --from=a /m /\n", has={"/m": "2\n"})
row("stages: --from names an image", F + "COPY --from=busy:1 /etc/group /g\n", has={"/g": "root:x:0:\nweb:x:1000:\nstaff:x:50:\n"})
row("stages: --from takes no variables", F + "ARG X=a\nCOPY --from=$X a /b\n", fails="--from takes no variables")
row("stages: a later one cannot be copied from", F + "COPY --from=late /a /b\nFROM busy:1 AS late\nCOPY --from=0 /b /b\n", fails="late")
row("stages: owners are kept", "FROM busy:1 AS a\nRUN touch /m && chown web:staff /m && chmod 640 /m\nFROM busy:1\nCOPY --from=a /m /m\n", owns={"/m": ("640", 1000, 50)})
row("FROM scratch", "FROM scratch\nCOPY a.txt /\nENV A=1\n", has={"/a.txt": "hello\n", "/bin/sh": None}, config={"Env": ["A=1"]})
# COPY
row("COPY: a file to a file, a folder, a new folder", F + "COPY a.txt /x\nCOPY a.txt /tmp\nCOPY a.txt /n/m/\n",
    has={"/x": "hello\n", "/tmp/a.txt": "hello\n", "/n/m/a.txt": "hello\n"}, owns={"/x": ("644", 0, 0), "/n/m": ("755", 0, 0)}, short=1)
row("COPY: a folder's contents", F + "COPY d /x\nCOPY d/ /y/\n", has={"/x/y.c": "c\n", "/x/e/z.c": "z\n", "/y/x.o": "o\n"})
row("COPY: several sources", F + "COPY a.txt b.txt /x/\n", has={"/x/a.txt": "hello\n", "/x/b.txt": "b\n"})
row("COPY: several sources need a folder", F + "COPY a.txt b.txt /x\n", fails="needs a destination that ends with /")
row("COPY: wildcards", F + "COPY *.txt d/?.c /x/\n", has={"/x/a.txt": "hello\n", "/x/y.c": "c\n", "/x/x.o": None})
row("COPY: a wildcard that matches nothing", F + "COPY a.txt no* /x/\n", has={"/x/a.txt": "hello\n"})
PAGES = {"p/[id].js": "1\n", "p/i.js": "2\n", "p/[...all].js": "3\n"}
row("COPY: wildcards and names with brackets", F + 'COPY p/*.js /x/\nCOPY p/[[]id].js /y/\nCOPY ["p/[[].*", "/z/[q]/"]\nCOPY p /w\n', files=PAGES,
    has={"/x/[id].js": "1\n", "/x/i.js": "2\n", "/x/[...all].js": "3\n", "/y/[id].js": "1\n", "/y/i.js": None, "/z/[q]/[...all].js": "3\n", "/z/[q]/i.js": None,
         "/w/[id].js": "1\n"}, short=1)
row("COPY: wildcards and names with brackets, from a stage", "FROM busy:1 AS s\nCOPY p /p\n" + F + "COPY --from=s /p/[[]id].js /y/\n", files=PAGES,
    has={"/y/[id].js": "1\n", "/y/i.js": None})
LINKED = "RUN mkdir -p /usr/bin /usr/share/man && mv /bin/* /usr/bin/ && rm -r /bin && /usr/bin/busybox ln -s usr/bin /bin && ln -s share/man /usr/man\n"
row("COPY: a folder over a link", F + LINKED + "COPY --chown=web root /\nRUN touch /o\n", files={"root/bin/x": "x", "root/opt/y": "y"},
    fails="Dockerfile:3: step 3/4 failed: COPY --chown=web root /: cannot copy to non-directory: '/bin' is a link in the image", short=1)
row("COPY: a folder over a link, from a stage, by a user", "FROM busy:1 AS s\nCOPY root /root\n" + F + LINKED + "USER web\nCOPY --from=s /root/ /usr/\n",
    files={"root/share/y": "y", "root/man/x": "x"}, fails="cannot copy to non-directory: '/usr/man' is a link in the image")
row("COPY: a folder beside links", F + LINKED + "COPY root /\nCOPY root/opt/y /bin/y\nCOPY root/opt /usr/man/\n", files={"root/opt/y": "y", "root/etc/group": "g"},
    has={"/bin": "-> usr/bin", "/usr/bin/y": "y", "/opt/y": "y", "/etc/group": "g", "/usr/share/man/y": "y"})
row("COPY --exclude: a folder over a link", F + LINKED + "COPY --exclude=*.o root /\n", files={"root/bin/x": "x"}, fails="'/bin' is a link in the image")
row("COPY: what is not there", F + "COPY no /x\n", fails="Dockerfile:2: step 2/2 failed: COPY no /x: ")
row("COPY: relative to WORKDIR", F + "WORKDIR /w\nCOPY a.txt .\nCOPY b.txt sub/\n", has={"/w/a.txt": "hello\n", "/w/sub/b.txt": "b\n"})
row("COPY: the context's root and above", F + "COPY /a.txt ../../b.txt /x/\n", has={"/x/a.txt": "hello\n", "/x/b.txt": "b\n"})
row("COPY: the array form with blanks", F + 'COPY ["a b", "/x y/"]\n', files={"a b": "1"}, has={"/x y/a b": "1"}, short=1)
row("COPY: modes and links stay", F + "COPY d /x\n", files={"d/run": ("x", 0o755), "d/l": "-> /etc/passwd"}, has={"/x/l": "-> /etc/passwd"}, owns={"/x/run": ("755", 0, 0)})
row("COPY --chown: names, numbers, one of both", F + "COPY --chown=web:staff a.txt /1\nCOPY --chown=7:8 a.txt /2\nCOPY --chown=web a.txt /3\n",
    owns={"/1": ("644", 1000, 50), "/2": ("644", 7, 8), "/3": ("644", 1000, 1000)}, short=1)
row("COPY --chown: an unknown name", F + "COPY --chown=nobodyhere a.txt /1\n", fails="nobodyhere")
row("COPY --chmod: octal", F + "COPY --chmod=0751 a.txt /1\n", owns={"/1": ("751", 0, 0)})
row("COPY --chmod: symbolic", F + "COPY --chmod=u=rwX,go=rX d /x\nCOPY --chmod=a+x,u-w a.txt /1\n",
    files={"d/run": ("x", 0o700)}, owns={"/1": ("555", 0, 0), "/x/run": ("755", 0, 0), "/x/y.c": ("644", 0, 0), "/x/e": ("755", 0, 0)}, short=1)
row("COPY --chmod: nonsense", F + "COPY --chmod=999 a.txt /1\n", fails="neither octal nor symbolic")
row("COPY --link", F + "COPY --link a.txt /1\nCOPY --link=false b.txt /2\n", has={"/1": "hello\n", "/2": "b\n"})
row("COPY --parents", F + "COPY --parents d/e/z.c a.txt /x/\n", has={"/x/d/e/z.c": "z\n", "/x/a.txt": "hello\n", "/x/d/y.c": None}, short=1)
row("COPY --parents: a pivot and wildcards", F + "COPY --parents d/./*/z.c ./**/y.c /x/\n", has={"/x/e/z.c": "z\n", "/x/d/y.c": "c\n"})
row("COPY --exclude", F + "COPY --exclude=*.o --exclude=e d /x/\n", has={"/x/y.c": "c\n", "/x/x.o": None, "/x/e/z.c": None}, short=1)
row("COPY --exclude: with folders", F + "COPY --exclude=**/*.c d /x/\n", has={"/x/x.o": "o\n", "/x/y.c": None, "/x/e/z.c": None})
row("COPY --exclude: from a stage, as a user", "FROM busy:1 AS a\nRUN mkdir /s && touch /s/k /s/n && chown web /s/k\n" + F +
    "USER web\nCOPY --from=a --exclude=n /s /x/\nRUN id -u > /tmp/o\n", has={"/x/n": None, "/tmp/o": "1000\n"}, owns={"/x/k": ("644", 1000, 0)}, config={"User": "web"})
row("COPY: capabilities, further names, pipes", "FROM busy:1 AS s\nRUN mkdir /s && echo 1 > /s/a && ln /s/a /s/b && ln /s/a /s/n && mkfifo /s/p\n" + F +
    "COPY --from=s --exclude=n /s /x/\nCOPY --from=s /s /y/\nCOPY --from=s --parents --chown=web /usr/capped /z/\nCOPY --from=s /usr/capped /c\n"
    "RUN for d in x y; do stat -c %h /$d/a /$d/b; test -p /$d/p && echo p; done > /o\n",
    has={"/o": "2\n2\np\n3\n3\np\n"}, owns={"/z/usr/capped": ("755", 1000, 1000)}, capable=["/z/usr/capped", "/c"], short=1)
row("COPY: an unknown flag", F + "COPY --form=a b /c\n", fails="Dockerfile:2: COPY has no flag --form (do you mean --from?)", short=1)
row("COPY: a URL", F + "COPY https://a/b /c\n", fails="COPY takes no URL")
# ADD
TAR = ("t.tar.gz", ["in/f"])
row("ADD: unpacks an archive of the context", F + "ADD t.tar.gz /x/\n", has={"/x/in/f": "packed\n"}, short=1)
row("ADD: xz, bzip2, plain", F + "ADD t.tar.xz /x/\nADD t.tar.bz2 /y/\nADD t.tar /z/\n", has={"/x/in/f": "packed\n", "/y/in/f": "packed\n", "/z/in/f": "packed\n"})
row("ADD --unpack=false", F + "ADD --unpack=false t.tar /x/\n", has={"/x/in/f": None, "/x/t.tar": ...})
row("COPY: leaves archives as they are", F + "COPY t.tar.gz /x/\n", has={"/x/t.tar.gz": ...})
row("ADD: a URL", F + "ADD {url}/f.bin?q=1 /x/\nADD {url}/f.bin /y\n", has={"/x/f.bin": "fetched\n", "/y": "fetched\n"}, owns={"/x/f.bin": ("600", 0, 0)}, short=1)
row("ADD: a URL's archive stays packed", F + "ADD {url}/t.tar.gz /x/\n", has={"/x/t.tar.gz": ..., "/x/in/f": None})
row("ADD --unpack of a URL", F + "ADD --unpack=true {url}/t.tar.gz /x/\n", has={"/x/in/f": "packed\n"})
row("ADD --chown --chmod of a URL", F + "ADD --chown=web:web --chmod=755 {url}/f.bin /x/\n", owns={"/x/f.bin": ("755", 1000, 1000)})
row("ADD --checksum", F + "ADD --checksum=sha256:{sum} {url}/f.bin /x\n", has={"/x": "fetched\n"})
row("ADD --checksum: another", F + "ADD --checksum=sha256:" + "0" * 64 + " {url}/f.bin /x\n", fails="was expected", short=1)
row("ADD: a URL that is not there", F + "ADD {url}/no /x\n", fails="answered with status 404")
row("ADD: a file, a URL and a heredoc", F + "ADD a.txt {url}/f.bin <<H /x/\nh\nH\n", has={"/x/a.txt": "hello\n", "/x/f.bin": "fetched\n", "/x/H": "h\n"})
row("ADD: a git repository", F + "ADD {url}/repo.git /x\n", has={"/x/readme": "two\n", "/x/sub/s": "s\n", "/x/.git": None}, short=1)
row("ADD: git with a ref and a folder", F + "ADD {url}/repo.git#v1:sub /x\nADD {url}/repo.git#v1 /y\n", has={"/x/s": "s\n", "/y/readme": "one\n"})
row("ADD: git by a commit", F + "ADD {url}/repo.git#{commit} /x\n", has={"/x/readme": "one\n"})
row("ADD --keep-git-dir", F + "ADD --keep-git-dir=true {url}/repo.git /x\n", has={"/x/.git/HEAD": ...})
row("ADD: git without that ref", F + "ADD {url}/repo.git#nothing /x\n", fails="git says")
row("ADD: git by SSH", F + "ADD git@example.invalid:a/b.git /x\n", fails="builds have no SSH agent here")
# RUN
row("RUN: the shell form over lines with comments", F + "RUN echo a \\\n  # no\n\n  && echo b > /o\n", has={"/o": "b\n"}, short=1)
row("RUN: the array form", F + 'RUN ["/bin/sh", "-c", "echo $0 > /o", "x y"]\n', has={"/o": "x y\n"})
row("RUN: an array that is none", F + "RUN [ -d / ] && echo y > /o\n", has={"/o": "y\n"})
row("RUN: quotes and backslashes", F + "RUN printf '%s\\n' \"a\\\\b\" 'c\"d' $'e' > /o\n", has={"/o": "a\\b\nc\"d\ne\n"})
row("RUN: a failure names step, line and cause", F + "ENV A=1\n\nRUN exit 3\n", fails="Dockerfile:4: step 3/3 failed: RUN exit 3: exit status 3", short=1)
row("RUN: a program that is not there", F + 'RUN ["/nothing", "x"]\n', fails='step 2/2 failed: RUN ["/nothing", "x"]: exec: "/nothing": stat /nothing: no such file or directory')
row("RUN: a script that prints an error and goes on", F + "RUN echo 'Error: not yours' && echo 'STEP 3/3: mine' && touch /o\n", has={"/o": ""}, log=["Error: not yours\n", "STEP 3/3: mine\n"])
row("RUN --mount=bind: the context", F + "RUN --mount=target=/c cp /c/d/y.c /o; touch /c/n || echo ro >> /o\n", has={"/o": "c\nro\n"})
row("RUN --mount=bind: a relative target", F + "WORKDIR /w\nRUN --mount=source=a.txt,target=in/a cat in/a > o\n", has={"/w/o": "hello\n"}, short=1)
row("RUN --mount=bind,rw: nothing of it stays", F + "RUN --mount=target=/c,rw echo n > /c/a.txt && cat /c/a.txt > /o\nCOPY a.txt /p\n", has={"/o": "n\n", "/p": "hello\n"}, short=1)
row("RUN --mount=bind,rw: a stage", "FROM busy:1 AS s\nRUN echo 1 > /m\n" + F + "RUN --mount=from=s,target=/s,rw echo 2 > /s/m; cat /s/m > /o\nCOPY --from=s /m /p\n",
    has={"/o": "2\n", "/p": "1\n"})
for kind, more in (("bind", ""), ("bind", ",rw"), ("cache", "")):
    row(f"RUN --mount={kind}{more}: a link leads out of no stage", f"FROM busy:1 AS s\nRUN echo {kind}{more} && ln -s / /l\n" + F +
        f"RUN --mount=type={kind},from=s,source=/l,target=/h{more} ls /h\n", fails="leads out of the build", short=1)
row("RUN --mount=bind: a link on the way leads out of no stage", "FROM busy:1 AS s\nRUN echo way && ln -s / /l\n" + F +
    "RUN --mount=from=s,source=/l/etc,target=/h ls /h\n", fails="leads out of the build")
row("RUN --mount=bind: a link leads out of no context", F + "RUN --mount=source=out,target=/h ls /h\n", files={"out": "-> /"},
    fails="leads out of the build", short=1)
row("RUN --mount=bind: a stage, in any case, and an image", "FROM busy:1 AS Tool\nRUN echo t > /t\n" + F +
    "RUN --mount=type=bind,from=tOOL,source=/t,target=/m --mount=from=busy:1,target=/i cat /m > /o; ls -d /i/etc >> /o\n", has={"/o": "t\n/i/etc\n"})
row("RUN --mount=cache: kept from step to step", F + "RUN --mount=type=cache,target=/c,id={unique} echo 1 >> /c/f\nRUN --mount=type=cache,dst=/c,id={unique},rw cat /c/f > /o\n",
    has={"/o": "1\n"}, absent=["/c/f"], short=1)
row("RUN --mount=cache: ro, sharing, mode, ids", F + "RUN --mount=type=cache,target=/c,id={unique}a,sharing=locked,mode=0750,uid=1000,gid=50 stat -c '%a %u %g' /c > /o\n"
    "RUN --mount=type=cache,target=/c,id={unique}a,ro,sharing=private touch /c/x || echo ro >> /o\n", has={"/o": "750 1000 50\nro\n"})
row("RUN --mount=cache: from a stage", "FROM busy:1 AS s\nRUN mkdir /k && echo k > /k/f\n" + F + "RUN --mount=type=cache,from=s,source=/k,target=/c,id={unique}b cat /c/f > /o\n", has={"/o": "k\n"})
row("RUN --mount=cache: an id that is a path", F + "RUN --mount=type=cache,target=/c,id=../../../{unique} touch /c/f && echo y > /o\n", has={"/o": "y\n"})
row("RUN --mount=tmpfs", F + "RUN --mount=type=tmpfs,target=/t,size=1m df -k /t | tail -1 | awk '{print $2}' > /o\n", has={"/o": "1024\n"}, short=1)
row("RUN --mount=secret: an optional one is absent", F + "RUN --mount=type=secret,id=s --mount=type=secret,id=t,env=T test ! -e /run/secrets/s && echo [$T] > /o\n",
    has={"/o": "[]\n"}, log=["builds have no secrets here"], short=1)
row("RUN --mount=secret: a required one", F + "RUN --mount=type=secret,id=s,required=true true\n", fails="this one is required")
row("RUN --mount=ssh", F + "RUN --mount=type=ssh true\n", fails="builds have no SSH agent here")
row("RUN --mount=ssh,required=false", F + "RUN --mount=type=ssh,required=false touch /o\n", has={"/o": ""})
row("RUN --mount: without a target", F + "RUN --mount=type=bind,source=a.txt true\n", fails="RUN --mount needs a target")
row("RUN --mount: an unknown option", F + "RUN --mount=type=cache,target=/c,shared=x true\n", fails="does not understand 'shared'")
row("RUN --network=none", F + "RUN --network=none ip -o link | wc -l > /o; ping -c1 -W1 127.0.0.1 >/dev/null && echo lo >> /o\n", has={"/o": "1\nlo\n"}, short=1)
row("RUN --network=host, default", F + "RUN --network=host --security=sandbox true\nRUN --network=default touch /o\n", has={"/o": ""})
row("RUN --security=insecure", F + "RUN --security=insecure true\n", fails="only sandbox is allowed")
row("RUN: what a volume holds stays", F + "VOLUME /v\nRUN mkdir /v && echo 1 > /v/f\nRUN cat /v/f > /o\n", has={"/v/f": "1\n", "/o": "1\n"}, config={"Volumes": {"/v": {}}})
# Heredocs
row("heredoc: RUN, a script of the shell", F + "RUN <<EOF\nA=1\necho $A > /o\nEOF\n", has={"/o": "1\n"}, short=1)
row("heredoc: RUN, a failure in its middle does not stop it", F + "RUN <<EOF\nfalse\ntouch /o\nEOF\n", has={"/o": ""})
row("heredoc: RUN, an interpreter", F + "RUN <<EOF\n#!/bin/awk -f\nBEGIN { print 6*7 > \"/o\" }\nEOF\n", has={"/o": "42\n"}, short=1)
row("heredoc: RUN, into a command and a pipe", F + "RUN cat <<EOF | tr a b > /o\naxa\nEOF\n", has={"/o": "bxb\n"})
row("heredoc: RUN, two of them", F + "RUN cat <<A > /1 && cat <<B > /2\na\nA\nb\nB\n", has={"/1": "a\n", "/2": "b\n"})
row("heredoc: RUN, tabs", F + "RUN <<-EOF\n\techo x > /o\n\tEOF\n", has={"/o": "x\n"})
row("heredoc: RUN, variables are the shell's, quoted or not", F + "ENV A=e\nRUN cat <<'X' > /1 && cat <<Y > /2\n$A\nX\n$A\nY\n", has={"/1": "$A\n", "/2": "e\n"})
row("heredoc: RUN, by the stage's SHELL", F + 'SHELL ["/bin/sh", "-e", "-c"]\nRUN <<EOF\nfalse\ntouch /o\nEOF\n', fails="exit status 1")
row("heredoc: RUN, a blank before its name", F + "RUN cat << EOF > /o\nx\nEOF\n", has={"/o": "x\n"})
row("heredoc: COPY", F + "ENV A=e\nCOPY <<EOF /o\n$A ${B:-b} \"q\" 'r' \\$A\nEOF\n", has={"/o": "e b \"q\" 'r' $A\n"}, owns={"/o": ("644", 0, 0)}, short=1)
row("heredoc: COPY, quoted", F + "COPY <<'EOF' /o\n$A \\n\nEOF\n", has={"/o": "$A \\n\n"})
row("heredoc: COPY, two and a file, owner and mode", F + "COPY --chown=web --chmod=600 <<x a.txt <<-\"y\" /d/\n1\nx\n\t2\ny\n",
    has={"/d/x": "1\n", "/d/y": "2\n", "/d/a.txt": "hello\n"}, owns={"/d/x": ("600", 1000, 1000)})
row("heredoc: COPY with a symbolic --chmod", F + "COPY --chmod=+x <<E a.txt /d/\n#!/bin/sh\nE\n", owns={"/d/E": ("755", 0, 0), "/d/a.txt": ("755", 0, 0)})
row("ADD --chmod: symbolic", F + "ADD --chmod=a+x a.txt /x\n", owns={"/x": ("755", 0, 0)})
row("ADD --chmod: symbolic, of an archive", F + "ADD --chmod=a+x t.tar /x\n", fails="ADD of an archive takes neither")
row("heredoc: that nothing ends", F + "RUN <<EOF\nx\n", fails="Dockerfile:2: nothing ends the heredoc")
# ONBUILD
row("ONBUILD: in a stage", "FROM busy:1 AS b\nONBUILD COPY a.txt /t\nONBUILD RUN echo $A > /o\nONBUILD ENV A=1\nFROM b\nRUN echo $A > /p\n", has={"/t": "hello\n", "/o": "\n", "/p": "1\n"}, short=1)
row("ONBUILD: not in the stage itself", "FROM busy:1\nONBUILD RUN touch /o\n", has={"/o": None}, config={"OnBuild": ["RUN touch /o"]})
row("ONBUILD: once", "FROM busy:1 AS a\nONBUILD RUN echo 1 >> /o\nFROM a AS b\nFROM b\n", has={"/o": "1\n"})
row("ONBUILD: a heredoc", "FROM busy:1 AS a\nONBUILD RUN <<E\necho 1 > /o\nE\nFROM a\n", has={"/o": "1\n"})
row("ONBUILD: what it cannot keep", F + "ONBUILD FROM x\n", fails="ONBUILD cannot keep this")
# The configuration
row("SHELL", F + 'SHELL ["/bin/sh", "-x", "-c"]\nRUN echo $- > /o\nCMD y\n', config={"Shell": ["/bin/sh", "-x", "-c"], "Cmd": ["/bin/sh", "-x", "-c", "y"]}, short=1)
row("SHELL: no array", F + "SHELL sh -c\n", fails="SHELL takes an array")
row("CMD and ENTRYPOINT: arrays", F + 'ENTRYPOINT ["a", "b c"]\nCMD ["d"]\n', config={"Entrypoint": ["a", "b c"], "Cmd": ["d"]}, short=1)
row("CMD and ENTRYPOINT: the shell form", F + "ENTRYPOINT exec a $X\nCMD b 'c'\n", config={"Entrypoint": ["/bin/sh", "-c", "exec a $X"], "Cmd": ["/bin/sh", "-c", "b 'c'"]})
row("CMD: an array that is none is of the shell", F + "CMD ['a', 'b']\n", config={"Cmd": ["/bin/sh", "-c", "['a', 'b']"]})
row("ENTRYPOINT: takes away the base's CMD", "FROM busy:1 AS a\nCMD [\"x\"]\nFROM a\nENTRYPOINT [\"y\"]\n", config={"Entrypoint": ["y"], "Cmd": []})
row("ENTRYPOINT: leaves the stage's own CMD", F + 'CMD ["x"]\nENTRYPOINT ["y"]\n', config={"Entrypoint": ["y"], "Cmd": ["x"]})
row("HEALTHCHECK", F + "HEALTHCHECK --interval=5m --timeout=3s --start-period=10s --start-interval=1s --retries=2 CMD curl -f http://x || exit 1\n",
    config={"Healthcheck": {"Test": ["CMD-SHELL", "curl -f http://x || exit 1"], "Interval": 300 * 10**9, "Timeout": 3 * 10**9, "StartPeriod": 10 * 10**9, "Retries": 2}}, short=1)
row("HEALTHCHECK: an array", F + 'HEALTHCHECK CMD ["a", "b"]\n', config={"Healthcheck": {"Test": ["CMD", "a", "b"]}})
row("HEALTHCHECK: NONE", F + "HEALTHCHECK CMD x\nHEALTHCHECK NONE\n", config={"Healthcheck": {"Test": ["NONE"]}})
row("HEALTHCHECK: nonsense", F + "HEALTHCHECK --interval=5 CMD x\n", fails="'5' is not understood")
row("LABEL", F + 'LABEL a=b c="d e" \\\n  "f.g"=\'h\'\nLABEL i j k\n', labels={"a": "b", "c": "d e", "f.g": "h", "i": "j k"})
row("MAINTAINER", F + "MAINTAINER A B <a@b.c>\nRUN touch /o\n", has={"/o": ""})
row("WORKDIR: relative, one after another", F + "WORKDIR /a\nWORKDIR b/../c\nWORKDIR \"d e\"\nRUN pwd > /o\n", has={"/o": "/a/c/d e\n"}, config={"WorkingDir": "/a/c/d e"}, short=1)
row("WORKDIR: belongs to the user", F + "USER web\nWORKDIR /x/y\n", owns={"/x/y": ("755", 1000, 1000)})
row("WORKDIR: belongs to the user, before a COPY too", F + "USER web\nWORKDIR /x\nCOPY a.txt .\nRUN touch n\n", owns={"/x": ("755", 1000, 1000), "/x/n": ("644", 1000, 1000), "/x/a.txt": ("644", 0, 0)}, short=1)
row("USER: by name, by number, with a group", F + "USER 7:8\nRUN id -u > /tmp/1; id -g >> /tmp/1\nUSER web\nRUN id -u > /tmp/2\n", has={"/tmp/1": "7\n8\n", "/tmp/2": "1000\n"})
row("EXPOSE: ranges and protocols", F + "EXPOSE 80 90-91/UDP 127.0.0.1:1:2\n", config={"ExposedPorts": {"80/tcp": {}, "90/udp": {}, "91/udp": {}, "2/tcp": {}}})
row("EXPOSE: no port", F + "EXPOSE 80x\n", fails="EXPOSE: '80x' is no port")
row("VOLUME: both forms", F + 'VOLUME /a /b\nVOLUME ["/c d"]\n', config={"Volumes": {"/a": {}, "/b": {}, "/c d": {}}})
row("STOPSIGNAL", F + "STOPSIGNAL 9\n", config={"StopSignal": "9"})
# The file itself
row("file: # syntax=, # check=, # escape=", "# syntax=docker/dockerfile:1\n# check=skip=all\n# escape=`\n" + F + "RUN echo a ` \n > /o\nENV A=a`$b\n", has={"/o": "a\n"}, config={"Env": ["A=a$b"]}, short=1)
row("file: a byte-order mark and CR LF", "\ufeff# c\r\n" + F.replace("\n", "\r\n") + "RUN echo a \\\r\n > /o\r\nCOPY <<E /p\r\nx\r\nE\r\n", has={"/o": "a\n", "/p": "x\n"}, short=1)
row("file: instruction words in any case, tabs", "from busy:1 aS x\n\t" "rUn\ttouch /o\n", has={"/o": ""})
row("file: empty lines in a continuation", F + "RUN echo a \\\n\n\n  > /o\n", has={"/o": "a\n"})
row("file: a typing error", F + "\nCOPYY a b\n", fails="Dockerfile:3: no such instruction: COPYY (do you mean COPY?)", short=1)
row("file: an instruction before FROM", "RUN x\n" + F, fails="only ARG may stand before the first FROM")
row("file: its last line has no end", F + "RUN echo a > /o", has={"/o": "a\n"})
row("file: a long RUN", F + "RUN true" + " \\\n && true" * 3000 + " \\\n && touch /o\n", has={"/o": ""})
row("log: steps have the numbers of the file", "FROM busy:1 AS a\nARG A=1\nRUN echo one$A\nFROM a\nENV B=2\nRUN echo two$B\n",
    log=["[1/2] STEP 3/3: RUN echo one$A\n", "[2/2] STEP 2/3: ENV B=2\n", "[2/2] STEP 3/3: RUN echo two$B\n"], short=1)
# .dockerignore
row(".dockerignore", F + "COPY . /c/\n", files={".dockerignore": "# c\n*.txt\n!b.txt\n**/*.o\nDockerfile\n"},
    has={"/c/a.txt": None, "/c/b.txt": "b\n", "/c/d/x.o": None, "/c/d/y.c": "c\n", "/c/Dockerfile": None}, short=1)
row(".dockerignore: all but", F + "COPY . /c/\n", files={".dockerignore": "*\n!d/e\n"}, has={"/c/a.txt": None, "/c/d/y.c": None, "/c/d/e/z.c": "z\n"})
row(".dockerignore: what it hides cannot be copied", F + "COPY a.txt /\n", files={".dockerignore": "a.txt\n"}, fails="COPY a.txt /")
row(".dockerignore: that of the Dockerfile comes first", F + "COPY . /c/\n", files={".dockerignore": "a.txt\n", "Dockerfile.dockerignore": "b.txt\n"}, has={"/c/a.txt": "hello\n", "/c/b.txt": None})
row(".dockerignore: in mounts too", F + "RUN --mount=target=/c ls /c > /o\n", files={".dockerignore": "*\n!a.txt\n"}, has={"/o": "a.txt\n"})
# Ids
row("ids: beyond 65535", F + "RUN touch /1 /2 /3 && chown 1000660000:200000 /1 && chown 4294967294 /2 && chown 2147483648 /3\n",
    owns={"/1": ("644", 1000660000, 200000), "/2": ("644", 4294967294, 0), "/3": ("644", 2147483648, 0)}, short=1)
row("ids: COPY --chown and USER", F + "COPY --chown=1000660000:0 a.txt /1\nUSER 1000660000\nRUN id -u > /tmp/o\n", has={"/tmp/o": "1000660000\n"}, owns={"/1": ("644", 1000660000, 0)})
