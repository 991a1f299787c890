/* acpi.h - writes the tables that describe the board to a guest (docs/vmm.md): hardware-reduced
 * ACPI. */
#ifndef VMM_ARCH_X86_64_ACPI_H
#define VMM_ARCH_X86_64_ACPI_H

#include "base/buf.h"

#define ACPI_GPA  0xe0000 /* RSDP first */
#define ACPI_SIZE 0x20000

/* Append all tables as they lie from ACPI_GPA on; at most ACPI_SIZE bytes. */
void acpi_build(struct buf *to, unsigned n_vcpus, unsigned n_virtio);

#endif
