#include "guest/metadata_lead.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/agent.h"

/* Fields of the context are in network order. */
#define LOAD(to, at)                                                              \
	{                                                                         \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (to), .src_reg = 1, \
		.off = offsetof(struct bpf_sock_addr, at)                         \
	}
#define SKIP_UNLESS(reg, value, n)                                                 \
	{                                                                          \
		.code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = (reg), .off = (n), \
		.imm = (int32_t)(value)                                            \
	}
#define SET(reg, value)                                                                      \
	{                                                                                    \
		.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (int32_t)(value) \
	}
#define STORE(at, from)                                                             \
	{                                                                           \
		.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = (from), \
		.off = offsetof(struct bpf_sock_addr, at)                           \
	}

static int lead_load(const struct bpf_insn *program, size_t n, enum bpf_attach_type type)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		.expected_attach_type = type,
		.insns = (uintptr_t)program,
		.insn_cnt = (uint32_t)n,
		.license = (uintptr_t) "GPL",
	};

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int lead_program(void)
{
	const struct bpf_insn program[] = {
		LOAD(2, user_ip4),
		SKIP_UNLESS(2, inet_addr(METADATA_IP), 6),
		LOAD(2, user_port),
		SKIP_UNLESS(2, htons(METADATA_PORT), 4),
		SET(2, inet_addr(SLOT_GUEST_IP)),
		STORE(user_ip4, 2),
		SET(2, htons(AGENT_METADATA_PORT)),
		STORE(user_port, 2),
		SET(0, 1),
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return lead_load(program, ARRAY_SIZE(program), BPF_CGROUP_INET4_CONNECT);
}

/* ::ffff:169.254.169.254 */
static int lead_program_mapped(void)
{
	const struct bpf_insn program[] = {
		LOAD(2, user_ip6[0]),
		SKIP_UNLESS(2, 0, 12),
		LOAD(2, user_ip6[1]),
		SKIP_UNLESS(2, 0, 10),
		LOAD(2, user_ip6[2]),
		SKIP_UNLESS(2, htonl(0xffff), 8),
		LOAD(2, user_ip6[3]),
		SKIP_UNLESS(2, inet_addr(METADATA_IP), 6),
		LOAD(2, user_port),
		SKIP_UNLESS(2, htons(METADATA_PORT), 4),
		SET(2, inet_addr(SLOT_GUEST_IP)),
		STORE(user_ip6[3], 2),
		SET(2, htons(AGENT_METADATA_PORT)),
		STORE(user_port, 2),
		SET(0, 1),
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return lead_load(program, ARRAY_SIZE(program), BPF_CGROUP_INET6_CONNECT);
}

/* The root's group holds the application's, which is made later. */
static bool lead_attach(int program, enum bpf_attach_type type)
{
	autoclose int group = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union bpf_attr attr = { 0 };

	if (program < 0 || group < 0)
		return false;
	attr.target_fd = (uint32_t)group;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = type;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return !syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr));
}

bool metadata_lead(void)
{
	autoclose int program = lead_program(), mapped = lead_program_mapped();

	return lead_attach(program, BPF_CGROUP_INET4_CONNECT) &&
	       lead_attach(mapped, BPF_CGROUP_INET6_CONNECT);
}
