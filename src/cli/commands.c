/* commands.c - the table of commands: what each takes, what it does, and how it is used. */

#include "cli/cli.h"

#define ANY SIZE_MAX

const char *const group_names[GROUP_NUM] = { "Daemon", "Images", "MicroVMs", "Accounts and keys" };

/* clang-format off */
const struct option global_options[] = {
	{ "--instance", "-i", "NAME", "use the doze of this name, with places, ports and microVMs of its own "
	  "(default: $DOZE_INSTANCE)", false, false },
	{ "--profile", NULL, "NAME", "use the server that `login` stored under this name (default: $DOZE_PROFILE)", false, false },
	{ "--json", NULL, NULL, "print JSON for programs", false, false },
	{ "--help", "-h", NULL, "print help, also for one command", false, false },
	{ "--version", NULL, NULL, "print the version", false, false },
};
const size_t n_global_options = ARRAY_SIZE(global_options);

const struct command commands[] = {
	{ .name = "up", .arguments = "", .summary = "start the daemon", .group = GROUP_DAEMON, .run = cmd_up, .reach = REACH_HOST,
	  .help = "Returns when everything serves. Where systemd runs, the default instance is started as the unit doze.service. MicroVMs that were suspended "
		  "wake on their next request.",
	  .options = {
		{ .name = "--foreground", .help = "stay in the foreground and log to the terminal" },
		{ .name = "--config", .argument = "FILE", .help = "read this configuration instead of {etc}/doze.ini" } },
	  .examples = { { .words = "up" }, { .words = "up --foreground" } } },
	{ .name = "down", .arguments = "", .summary = "suspend all microVMs and stop the daemon", .group = GROUP_DAEMON,
	  .run = cmd_down, .reach = REACH_HOST,
	  .help = "Waits until every microVM is saved, and shows how far each one is. You may interrupt it: the daemon goes on, and the same "
		  "command waits again.",
	  .options = { { .name = "--keep", .help = "leave the microVMs running; the next start takes them over" } },
	  .examples = { { .words = "down" }, { .words = "down --keep" } } },
	{ .name = "reload", .arguments = "", .summary = "read certificates and limits of endpoints again",
	  .group = GROUP_DAEMON, .run = cmd_reload, .reach = REACH_HOST,
	  .help = "Certificates ([certificate DOMAIN]) are read again. If the configuration or the program that serves endpoints is another one, "
		  "new processes of it take the place of the old ones, which finish what runs through them ([limits] drain_ms). No connection "
		  "is refused. Keys that other parts read take effect at the next start.",
	  .examples = { { .words = "reload" } } },
	{ .name = "backup", .arguments = "FOLDER", .least = 1, .most = 1, .summary = "copy keys, rows, images and suspended microVMs", .group = GROUP_DAEMON,
	  .run = cmd_backup,
	  .help = "While the daemon runs. The rows are of one moment. Files are cloned or hard-linked where the file system can, so that they take no "
		  "room, else copied. RunMicrovm goes on meanwhile, but what runs is not in the backup: only what was suspended. Artifacts in S3 are not either. "
		  "The folder holds secrets.",
	  .examples = { { .words = "backup /var/backups/doze-monday" } } },
	{ .name = "restore", .arguments = "FOLDER", .least = 1, .most = 1, .summary = "put a backup in the place of the data directory", .group = GROUP_DAEMON,
	  .run = cmd_restore, .reach = REACH_HOST,
	  .help = "While the daemon is stopped. Every file is checked before anything is changed. The next start reads the rows, into doze.db or the "
		  "database of [store] url. So rows can also be brought from the one to the other.",
	  .options = { { .name = "--force", .help = "replace the images, microVMs and rows that are there" } },
	  .examples = { { .words = "restore /var/backups/doze-monday" } } },
	{ .name = "env", .arguments = "", .summary = "print variables that point AWS clients at doze", .group = GROUP_DAEMON, .run = cmd_env,
	  .help = "The AWS CLI, the SDKs and curl read them. Only doze's own services are redirected.",
	  .options = { { .name = "--host", .argument = "NAME", .help = "name or address of this server for clients on other machines "
		  "([service] api_name)" } },
	  .examples = { { .words = "env", .before = "eval \"$(", .after = ")\"" } } },
	{ .name = "login", .arguments = "URL", .least = 1, .most = 1, .summary = "let this machine use a server elsewhere",
	  .group = GROUP_DAEMON, .run = cmd_login, .reach = REACH_NOTHING,
	  .help = "Stores where the server is, its CA and a key pair as a profile, which --profile or $DOZE_PROFILE chooses. A CA that this machine "
		  "does not know is shown and must be confirmed. Without --key the key pair is asked for.",
	  .options = {
		{ .name = "--profile", .argument = "NAME", .help = "name of the profile (default: default)" },
		{ .name = "--fingerprint", .argument = "SHA256", .help = "the CA's fingerprint, as `ca fingerprint` prints it on the server" },
		{ .name = "--key", .argument = "FILE", .help = "key pair in the form of ~/.aws/credentials; -: from standard input" },
		{ .name = "--region", .argument = "REGION", .help = "region of the server (default: us-east-1)" } },
	  .examples = { { .words = "login https://server.example.org:9010" },
			{ .words = "login https://192.0.2.7:9010 --profile lab --key lab.credentials" } } },
	{ .name = "profile ls", .arguments = "", .summary = "list the servers that were logged in to", .group = GROUP_DAEMON,
	  .run = cmd_profile_ls, .reach = REACH_NOTHING, .help = "", .examples = { { .words = "profile ls" } } },
	{ .name = "profile rm", .arguments = "PROFILE...", .least = 1, .most = ANY, .summary = "forget servers and their keys",
	  .group = GROUP_DAEMON, .run = cmd_profile_rm, .reach = REACH_NOTHING, .help = "", .examples = { { .words = "profile rm lab" } } },
	{ .name = "ca print", .arguments = "", .summary = "print the certificate of doze's CA", .group = GROUP_DAEMON, .run = cmd_ca_print,
	  .reach = REACH_CA, .help = "Whoever trusts it trusts the certificates of API, S3 and endpoints.",
	  .examples = { { .words = "ca print", .after = " > doze-ca.crt" } } },
	{ .name = "ca fingerprint", .arguments = "", .summary = "print the fingerprint of doze's CA", .group = GROUP_DAEMON,
	  .run = cmd_ca_fingerprint, .reach = REACH_CA, .help = "A login on another machine shows the same.",
	  .examples = { { .words = "ca fingerprint" } } },
	{ .name = "ca install", .arguments = "", .summary = "let this machine trust doze's CA", .group = GROUP_DAEMON, .run = cmd_ca_install,
	  .reach = REACH_CA, .help = "Adds it to the system's certificates (update-ca-certificates), so that curl and browsers know it.",
	  .examples = { { .words = "ca install", .before = "sudo " } } },
	{ .name = "doctor", .arguments = "", .summary = "check whether this host suits doze", .group = GROUP_DAEMON, .run = cmd_doctor,
	  .reach = REACH_HOST,
	  .help = "Prints one line for each check: ok, warn or bad. Exits with 1 if a check is bad.",
	  .examples = { { .words = "doctor" }, { .words = "--json doctor" } } },
	{ .name = "stats", .arguments = "", .summary = "show machines, pool and memory, as JSON", .group = GROUP_DAEMON, .run = cmd_stats,
	  .help = "", .examples = { { .words = "stats" } } },
	{ .name = "top", .arguments = "", .summary = "show which microVMs are busy, live", .group = GROUP_DAEMON, .run = cmd_top,
	  .help = "The microVM with most requests comes first. On a terminal the table is shown anew until Ctrl-C; elsewhere it is shown once, and "
		  "with --json as an array. Rates are of the last interval.",
	  .options = { { .name = "--interval", .argument = "S", .help = "seconds between two looks (1)" } },
	  .examples = { { .words = "top" }, { .words = "--json top" } } },

	{ .name = "image build", .arguments = "DIRECTORY", .least = 1, .most = 1, .group = GROUP_IMAGES, .run = cmd_image_build,
	  .summary = "build an image from a directory with a Dockerfile",
	  .help = "Shows a line for each step when it has ended, and on a terminal how the step under way moves; of a step that fails, its last lines. "
		  "With --json each event is one object in a line (docs/api-doze.md). Ctrl-C asks whether to cancel the build; pressed twice, it leaves the "
		  "build running. If there is an image of that name already, this builds its next version.",
	  .options = {
		{ .name = "--name", .argument = "NAME", .help = "name of the image", .required = true },
		{ .name = "--memory", .argument = "MIB", .help = "memory of its microVMs: 512, 1024, 2048 (default), 4096 or 8192" },
		{ .name = "--env", .argument = "KEY=VALUE", .help = "set an environment variable of the application" },
		{ .name = "--hooks", .argument = "LIST", .help = "hooks that the application serves, comma-separated: ready, validate, run, "
		  "resume, suspend, terminate" },
		{ .name = "--hooks-port", .argument = "PORT", .help = "port on which it serves them (default: 9000)" },
		{ .name = "--all-capabilities", .help = "run the application with all Linux capabilities" },
		{ .name = "--verbose", .letter = "-v", .help = "show all that the build prints" } },
	  .examples = { { .words = "image build examples/flask-hello --name hello --memory 512" },
			{ .words = "image build . --name counter --hooks ready,run,resume --hooks-port 9000" } } },
	{ .name = "image rebuild", .arguments = "IMAGE", .least = 1, .most = 1, .group = GROUP_IMAGES, .run = cmd_image_rebuild,
	  .summary = "build an image's next version from the disk of an earlier one",
	  .help = "Needs neither the zip nor a container build. The new version runs on the engine that new images use now. Rebuild an image when "
		  "the host's processor, KVM or QEMU has changed.",
	  .options = { { .name = "--version", .argument = "VERSION", .help = "take the disk of this version (default: the newest one)" },
		       { .name = "--verbose", .letter = "-v", .help = "show all that the build prints" } },
	  .examples = { { .words = "image rebuild hello" }, { .words = "image rebuild hello --version 3.0" } } },
	{ .name = "image ls", .arguments = "", .summary = "list images", .group = GROUP_IMAGES, .run = cmd_image_ls, .help = "",
	  .examples = { { .words = "image ls" }, { .words = "--json image ls" } } },
	{ .name = "image log", .arguments = "IMAGE [VERSION]", .least = 1, .most = 2, .group = GROUP_IMAGES, .run = cmd_image_log,
	  .summary = "show the build log of the newest version, or of the given one", .help = "",
	  .options = { { .name = "--follow", .letter = "-f", .help = "keep printing until the build has ended" } },
	  .examples = { { .words = "image log hello" }, { .words = "image log hello 2.0 -f" } } },
	{ .name = "image cancel", .arguments = "IMAGE [VERSION]", .least = 1, .most = 2, .group = GROUP_IMAGES, .run = cmd_image_cancel,
	  .summary = "end a build that runs or waits for its turn",
	  .help = "Without VERSION it is the newest one that is being built. The version is FAILED then.",
	  .examples = { { .words = "image cancel hello" }, { .words = "image cancel hello 2.0" } } },
	{ .name = "image rm", .arguments = "IMAGE...", .least = 1, .most = ANY, .group = GROUP_IMAGES, .run = cmd_image_rm,
	  .summary = "delete images with all their versions", .help = "", .examples = { { .words = "image rm hello counter" } } },
	{ .name = "base ls", .arguments = "", .summary = "list base images", .group = GROUP_IMAGES, .run = cmd_base_ls, .help = "",
	  .examples = { { .words = "base ls" } } },
	{ .name = "base import", .arguments = "NAME FILE.tar", .least = 2, .most = 2, .group = GROUP_IMAGES, .run = cmd_base_import,
	  .summary = "make a base image from a tar",
	  .help = "The tar is that of a root file system, or an archive of one image as docker save and OCI tools write it, whose configuration is kept. "
		  "A Dockerfile then begins with FROM and that name, for which no registry is asked any more. NAME is any name that FROM can have.",
	  .examples = { { .words = "base import example.com/base:1 base.tar" } } },
	{ .name = "base pull", .arguments = "NAME...", .least = 1, .most = ANY, .group = GROUP_IMAGES, .run = cmd_base_pull,
	  .summary = "fetch base images from their registries",
	  .help = "The registry is asked even if there is a base of that name, also an imported one. doze.ini(5) says "
		  "how mirrors and passwords are configured.",
	  .examples = { { .words = "base pull node:22" }, { .words = "base pull registry.example.com:5000/team/base:1" } } },
	{ .name = "base rm", .arguments = "NAME...", .least = 1, .most = ANY, .group = GROUP_IMAGES, .run = cmd_base_rm,
	  .summary = "remove base images", .help = "Images that were built from them stay as they are.",
	  .examples = { { .words = "base rm example.com/base:1" } } },

	{ .name = "run", .arguments = "IMAGE", .least = 1, .most = 1, .summary = "start a microVM", .group = GROUP_MICROVMS, .run = cmd_run,
	  .help = "Prints its id, its state and its address. Without --idle it never goes to sleep by itself.",
	  .options = {
		{ .name = "--idle", .argument = "SECONDS", .help = "suspend it after this time without a byte to or from it, even if a request is unanswered (60 to 28800)" },
		{ .name = "--awake", .argument = "SIGNS", .help = "count work as bytes: cpu=5% (of a core, by the host's measure), lease (its application asks for time "
		  "by /run/doze/lease or http://169.254.169.254/doze/lease), or cpu=5%,lease" },
		{ .name = "--suspended", .argument = "SECONDS", .help = "end it after this time asleep (0 to 28800; default: 3600)" },
		{ .name = "--no-auto-resume", .help = "do not wake it on a request" },
		{ .name = "--max-duration", .argument = "SECONDS", .help = "end it after this time in any case (1 to 28800)" },
		{ .name = "--payload", .argument = "TEXT", .help = "text that the application's run hook gets" },
		{ .name = "--version", .argument = "VERSION", .help = "start this version of the image (default: the active one)" },
		{ .name = "--role", .argument = "ROLE", .help = "execution role, by its name or ARN, whose credentials it finds at 169.254.169.254" },
		{ .name = "--shell", .help = "allow shells in it" } },
	  .examples = { { .words = "run hello" }, { .words = "run hello --idle 60 --suspended 3600" }, { .words = "run sandbox --idle 300 --awake cpu=5%,lease" } } },
	{ .name = "ls", .arguments = "", .summary = "list microVMs", .group = GROUP_MICROVMS, .run = cmd_ls, .help = "",
	  .options = { { .name = "--all", .letter = "-a", .help = "also list those that have ended" } },
	  .examples = { { .words = "ls" }, { .words = "ls --all" } } },
	{ .name = "get", .arguments = "ID", .least = 1, .most = 1, .summary = "show everything about a microVM, as JSON",
	  .group = GROUP_MICROVMS, .run = cmd_get, .help = "", .examples = { { .words = "get a99" } } },
	{ .name = "curl", .arguments = "ID /PATH [-- CURL-OPTION...]", .least = 2, .most = ANY, .group = GROUP_MICROVMS, .run = cmd_curl,
	  .summary = "send a request to a microVM, with a fresh token",
	  .help = "What follows -- goes to curl(1).",
	  .options = { { .name = "--port", .argument = "PORT", .help = "port of the application (default: the only port that the image "
		  "EXPOSEs, else 8080)" } },
	  .examples = { { .words = "curl a99 /" }, { .words = "curl a99 /items --port 5000 -- -X POST -d '{\"n\":1}'" } } },
	{ .name = "shell", .arguments = "ID", .least = 1, .most = 1, .group = GROUP_MICROVMS, .run = cmd_shell,
	  .summary = "open a shell in a microVM",
	  .help = "It runs as root beside the application, and its exit status is that of the command. The microVM must have been started with "
		  "--shell. If standard input is no terminal, the shell reads it to its end. A microVM that falls asleep meanwhile wakes on the next "
		  "key, and the shell goes on where it was.",
	  .examples = { { .words = "shell a99" }, { .words = "shell a99", .before = "echo ls | " } } },
	{ .name = "forward", .arguments = "ID PORT[:LOCAL]", .least = 2, .most = 2, .group = GROUP_MICROVMS, .run = cmd_forward,
	  .summary = "open a local port that leads to a port of a microVM",
	  .help = "Its connections go through the endpoint, with a token that is renewed, and wake the microVM. Stays in the foreground. LOCAL is PORT "
		  "unless it is given; 0 is any free port.",
	  .options = {
		{ .name = "--udp", .help = "forward datagrams of UDP" },
		{ .name = "--listen", .argument = "ADDRESS", .help = "address of this host (default: 127.0.0.1)" } },
	  .examples = { { .words = "forward a99 6379" }, { .words = "forward a99 5432:15432" }, { .words = "forward a99 53:5353 --udp" } } },
	{ .name = "token", .arguments = "ID", .least = 1, .most = 1, .group = GROUP_MICROVMS, .run = cmd_token,
	  .summary = "make a token for a microVM, or a certificate",
	  .help = "Prints the token. With --cert it writes a certificate that carries one, and its key, for clients that do not speak HTTP, such as psql and "
		  "redis-cli: they reach the microVM's port at the host PORT-ENDPOINT. docs/native-clients.md has examples.",
	  .options = {
		{ .name = "--ports", .argument = "PORTS", .help = "ports that it opens, such as 5432,8000-8010 (default: all)" },
		{ .name = "--expires", .argument = "MINUTES", .help = "how long it lasts (1 to 60; default: 60)" },
		{ .name = "--cert", .help = "write a certificate and its key" },
		{ .name = "--out", .argument = "PATH", .help = "where to: PATH.crt and PATH.key (default: the microVM's id)" } },
	  .examples = { { .words = "token a99" }, { .words = "token --cert a99 --ports 5432 --expires 15" } } },
	{ .name = "publish ls", .arguments = "", .summary = "list published ports", .group = GROUP_MICROVMS, .run = cmd_publish_ls, .help = "",
	  .examples = { { .words = "publish ls" } } },
	{ .name = "publish", .arguments = "ID PORT[/udp]", .least = 2, .most = 2, .group = GROUP_MICROVMS, .run = cmd_publish,
	  .summary = "lease a port of this host that leads to a port of a microVM",
	  .help = "For clients that know no token: whoever reaches the port is let in, and wakes the microVM. The port stays until it is unpublished or the "
		  "microVM ends.",
	  .options = {
		{ .name = "--from", .argument = "RANGE", .many = true, .help = "addresses that may come, such as 10.0.0.0/8; may be given several times "
		  "(default: everybody)" },
		{ .name = "--listen", .argument = "ADDRESS", .help = "address of this host (default: [publish] listen of doze.ini)" } },
	  .examples = { { .words = "publish a99 6379" }, { .words = "publish a99 514/udp --listen 0.0.0.0 --from 10.0.0.0/8" } } },
	{ .name = "unpublish", .arguments = "PUBLISHED...", .least = 1, .most = ANY, .group = GROUP_MICROVMS, .run = cmd_unpublish,
	  .summary = "give published ports back", .help = "Their connections are cut.", .examples = { { .words = "unpublish 23817" } } },
	{ .name = "suspend", .arguments = "ID...", .least = 1, .most = ANY, .group = GROUP_MICROVMS, .run = cmd_suspend,
	  .summary = "put microVMs to sleep", .help = "Memory and disk are kept as they are. A sleeping microVM has no process and uses no memory.",
	  .examples = { { .words = "suspend a99" } } },
	{ .name = "resume", .arguments = "ID...", .least = 1, .most = ANY, .summary = "wake microVMs", .group = GROUP_MICROVMS,
	  .run = cmd_resume, .help = "", .examples = { { .words = "resume a99" } } },
	{ .name = "rm", .arguments = "ID...", .least = 1, .most = ANY, .summary = "end microVMs", .group = GROUP_MICROVMS, .run = cmd_rm,
	  .help = "Their memory and disk are deleted.", .examples = { { .words = "rm a99 b17" } } },
	{ .name = "logs", .arguments = "ID", .least = 1, .most = 1, .group = GROUP_MICROVMS, .run = cmd_logs,
	  .summary = "show what a microVM wrote to stdout and stderr", .help = "",
	  .options = { { .name = "--follow", .letter = "-f", .help = "keep printing what it writes" } },
	  .examples = { { .words = "logs a99 -f" } } },

	{ .name = "account create", .arguments = "NAME", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_account_create,
	  .summary = "open an account, apart from all others",
	  .help = "Prints its id. What one account has, no other sees: images, microVMs, buckets, logs. Accounts are for the key pairs of the server's "
		  "credentials file.",
	  .options = { { .name = "--id", .argument = "DIGITS", .help = "its id, 12 digits (default: drawn)" } },
	  .examples = { { .words = "account create 'team blue'" }, { .words = "account create blue --id 222222222222" } } },
	{ .name = "account ls", .arguments = "", .summary = "list accounts", .group = GROUP_ACCESS, .run = cmd_account_ls, .help = "",
	  .examples = { { .words = "account ls" } } },
	{ .name = "account rm", .arguments = "ACCOUNT", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_account_rm,
	  .summary = "close an account that has no images and no microVMs", .help = "Its keys are refused from then on.",
	  .examples = { { .words = "account rm 222222222222" } } },
	{ .name = "kms create", .arguments = "ALIAS", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_kms_create,
	  .summary = "make a key that seals secrets at rest",
	  .help = "Requests name it as kmsKeyIdentifier: by alias/ALIAS, its id, or the ARN of either.",
	  .examples = { { .words = "kms create alias/app" } } },
	{ .name = "kms ls", .arguments = "", .summary = "list the keys that seal secrets", .group = GROUP_ACCESS, .run = cmd_kms_ls, .help = "",
	  .examples = { { .words = "kms ls" } } },
	{ .name = "kms rotate", .arguments = "KEY", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_kms_rotate,
	  .summary = "give a key its next version", .help = "What was sealed before is not rewritten, and its version still opens it.",
	  .examples = { { .words = "kms rotate alias/app" } } },
	{ .name = "kms disable", .arguments = "KEY", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_kms_disable,
	  .summary = "let a key open nothing until it is enabled",
	  .help = "What it seals can neither be run nor be woken. MicroVMs that run go on.",
	  .examples = { { .words = "kms disable alias/app" } } },
	{ .name = "kms enable", .arguments = "KEY", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_kms_enable,
	  .summary = "let a key be used again", .help = "", .examples = { { .words = "kms enable alias/app" } } },
	{ .name = "kms rm", .arguments = "KEY", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_kms_rm,
	  .summary = "remove a key that seals nothing",
	  .help = "Refused while it seals an image version or a microVM that has not ended.",
	  .examples = { { .words = "kms rm alias/app" } } },
	{ .name = "key create", .arguments = "NAME", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_key_create,
	  .summary = "make an access key",
	  .help = "Prints it as ~/.aws/credentials has it. The secret is not shown again. Without a policy the key may do all in its account.",
	  .options = {
		{ .name = "--policy", .argument = "FILE", .help = "what it may do, as a policy of IAM in JSON" },
		{ .name = "--expires", .argument = "TIME", .help = "how long it is good: 3600, 90m, 12h, 30d (default: for ever)" },
		{ .name = "--account", .argument = "ACCOUNT", .help = "make it for this account (default: that of your own key)" } },
	  .examples = { { .words = "key create ci --policy ci.json --expires 30d" },
			{ .words = "key create admin --account 222222222222" } } },
	{ .name = "key ls", .arguments = "", .summary = "list access keys", .group = GROUP_ACCESS, .run = cmd_key_ls, .help = "",
	  .options = { { .name = "--account", .argument = "ACCOUNT", .help = "those of this account (default: that of your own key)" } },
	  .examples = { { .words = "key ls" } } },
	{ .name = "key rotate", .arguments = "KEY", .least = 1, .most = 1, .group = GROUP_ACCESS, .run = cmd_key_rotate,
	  .summary = "make a new key in the place of one, which goes on for a while",
	  .help = "KEY is an id, or a name: the newest key of that name. The new key has the same name and policy.",
	  .options = {
		{ .name = "--overlap", .argument = "TIME", .help = "how long the old key is still good: 0, 90m, 12h (default: 1d)" },
		{ .name = "--account", .argument = "ACCOUNT", .help = "of this account (default: that of your own key)" } },
	  .examples = { { .words = "key rotate ci --overlap 12h" } } },
	{ .name = "key rm", .arguments = "KEY...", .least = 1, .most = ANY, .group = GROUP_ACCESS, .run = cmd_key_rm,
	  .summary = "delete access keys", .help = "With the last key of a name the sessions go that were made with it.",
	  .options = { { .name = "--account", .argument = "ACCOUNT", .help = "of this account (default: that of your own key)" } },
	  .examples = { { .words = "key rm ci" }, { .words = "key rm AKIAT6JHQ2XWZK3M5PLD" } } },
	{ .name = "key explain", .arguments = "KEY ACTION [RESOURCE]", .least = 2, .most = 3, .group = GROUP_ACCESS, .run = cmd_key_explain,
	  .summary = "say whether a key may do something, and why",
	  .help = "Nothing is done. Exits with 1 if it may not.",
	  .options = {
		{ .name = "--with", .argument = "KEY=VALUE", .many = true, .help = "what a condition would see, such as aws:SourceIp=10.1.2.3" },
		{ .name = "--account", .argument = "ACCOUNT", .help = "of this account (default: that of your own key)" } },
	  .examples = { { .words = "key explain ci s3:GetObject arn:aws:s3:::apps/app.zip" } } },
};
/* clang-format on */
const size_t n_commands = ARRAY_SIZE(commands);
