/* acpi.h - the tables that tell a guest of its board (docs/vmm.md): hardware-reduced ACPI. */
#ifndef VMM_ARCH_X86_64_ACPI_H
#define VMM_ARCH_X86_64_ACPI_H

#include "base/buf.h"

#define ACPI_GPA  0xe0000 /* RSDP first */
#define ACPI_SIZE 0x20000

/* All tables as they stand from ACPI_GPA on; at most ACPI_SIZE bytes. */
void acpi_build(struct buf *to, unsigned n_vcpus, unsigned n_virtio);

#endif
