/* compat.c - decides whether a snapshot can run here, and says what it needs if it cannot. */

#include <inttypes.h>
#include <string.h>

#include "machine/format.h"

int format_fits_machine(const struct format *snapshot, const struct format *here, struct err *e)
{
	if (snapshot->arch != here->arch)
		return err_set(e, ERR_CONFLICT,
			       "the snapshot is of a machine with ELF architecture %" PRIu32
			       " and this host runs %" PRIu32,
			       snapshot->arch, here->arch);
	if (strcmp(snapshot->kind, here->kind) != 0)
		return err_set(e, ERR_CONFLICT, "the snapshot needs doze-%s; this is doze-%s",
			       snapshot->kind, here->kind);
	if (strcmp(snapshot->machine, here->machine) != 0)
		return err_set(
			e, ERR_CONFLICT,
			"the snapshot needs a machine of shape '%s' (doze %s wrote it); this "
			"program makes '%s'",
			snapshot->machine, snapshot->writer, here->machine);
	if (snapshot->content != here->content)
		return err_set(e, ERR_INVALID, "the snapshot is %s",
			       snapshot->content == FORMAT_IMAGE ? "an image's, not a microVM's"
								 : "a microVM's, not an image's");
	if (snapshot->vcpus != here->vcpus || snapshot->memory_mib != here->memory_mib)
		return err_set(e, ERR_CONFLICT,
			       "the snapshot needs %" PRIu32 " vCPUs and %" PRIu32
			       " MiB; the machine was to have %" PRIu32 " and %" PRIu32,
			       snapshot->vcpus, snapshot->memory_mib, here->vcpus,
			       here->memory_mib);
	return 0;
}

int format_fits_host(const struct format *snapshot, const struct format *here, struct err *e)
{
	uint64_t a = snapshot->tsc_khz, b = here->tsc_khz;
	uint64_t off = a > b ? a - b : b - a;

	if (strcmp(snapshot->qemu, here->qemu) != 0)
		return err_set(e, ERR_CONFLICT, "the snapshot needs QEMU %s; here is QEMU %s",
			       snapshot->qemu, here->qemu);
	if (snapshot->cpuid != here->cpuid)
		return err_set(e, ERR_CONFLICT,
			       "the snapshot needs a guest CPU with features %016" PRIx64
			       "; this QEMU makes %016" PRIx64,
			       snapshot->cpuid, here->cpuid);
	if (off > a / 1000000 * FORMAT_TSC_PPM + a % 1000000 * FORMAT_TSC_PPM / 1000000)
		return err_set(e, ERR_CONFLICT,
			       "the snapshot needs a host whose time stamp counter runs at %" PRIu64
			       " kHz; this host's runs at %" PRIu64 " kHz",
			       a, b);
	return 0;
}
