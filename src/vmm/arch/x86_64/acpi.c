#include "vmm/arch/x86_64/acpi.h"

#include <stdio.h>
#include <string.h>

#include "vmm/arch/x86_64/aml.h"
#include "vmm/dev/genid.h"
#include "vmm/dev/power.h"
#include "vmm/dev/serial.h"
#include "vmm/processor/arch.h"
#include "vmm/virtio/mmio.h"

#define RSDP_SIZE 36

#define LAPIC_GPA  0xfee00000
#define IOAPIC_GPA 0xfec00000

struct acpi_head {
	char signature[4];
	uint32_t size;
	uint8_t revision, checksum;
	char oem[6], table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));
static_assert(sizeof(struct acpi_head) == 36, "ACPI 6.4, 5.2.6");

struct acpi_address {
	uint8_t space, width, offset, access;
	uint64_t at;
} __attribute__((packed));

/* ACPI 6.4, 5.2.9, from behind the head on; what is not named is zero. */
struct acpi_fadt {
	struct acpi_head head;
	uint8_t before[109 - 36];
	uint16_t boot_flags; /* at 109 */
	uint8_t reserved;
	uint32_t flags; /* at 112 */
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t facs, dsdt;
	struct acpi_address events[8];
	struct acpi_address sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));
static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 6.4, 5.2.9");

#define BOOT_NO_VGA  (1 << 2)
#define BOOT_NO_RTC  (1 << 5)
#define FADT_RESET   (1U << 10)
#define FADT_REDUCED (1U << 20)
#define SPACE_IO     1

static void acpi_sum(uint8_t *bytes, size_t size, uint8_t *sum)
{
	uint8_t total = 0;

	*sum = 0;
	for (size_t i = 0; i < size; i++)
		total = (uint8_t)(total + bytes[i]);
	*sum = (uint8_t)-total;
}

/* Room for the head of a table; the table's address is where it stands. */
static size_t acpi_begin(struct buf *b)
{
	static const uint8_t zeros[sizeof(struct acpi_head)];

	buf_add(b, zeros, -b->size % 16);
	buf_add(b, zeros, sizeof(zeros));
	return b->size - sizeof(zeros);
}

static void acpi_end(struct buf *b, size_t at, const char signature[5], uint8_t revision)
{
	struct acpi_head h = { .size = (uint32_t)(b->size - at),
			       .revision = revision,
			       .oem_revision = 1,
			       .creator_revision = 1 };

	memcpy(h.signature, signature, sizeof(h.signature));
	memcpy(h.oem, "DOZE  ", sizeof(h.oem));
	memcpy(h.table, "DOZEVMM ", sizeof(h.table));
	memcpy(h.creator, "DOZE", sizeof(h.creator));
	memcpy(b->data + at, &h, sizeof(h));
	acpi_sum(b->data + at, h.size, b->data + at + offsetof(struct acpi_head, checksum));
}

static void acpi_serial(struct buf *b)
{
	size_t device = aml_device(b, "COM1"), resources;

	aml_name(b, "_HID");
	aml_text(b, "PNP0501");
	aml_name(b, "_UID");
	aml_number(b, 0);
	resources = aml_resources(b);
	aml_ports(b, SERIAL_BASE, 8);
	aml_interrupt(b, SERIAL_IRQ);
	aml_resources_end(b, resources);
	aml_end(b, device);
}

static void acpi_virtio(struct buf *b, unsigned i)
{
	char name[5];
	size_t device, resources;

	snprintf(name, sizeof(name), "VR%02u", i % 100);
	device = aml_device(b, name);
	aml_name(b, "_HID");
	aml_text(b, "LNRO0005");
	aml_name(b, "_UID");
	aml_number(b, i);
	aml_name(b, "_CCA");
	aml_number(b, 1);
	resources = aml_resources(b);
	aml_memory(b, (uint32_t)(MMIO_BASE + i * MMIO_SIZE), MMIO_SIZE);
	aml_interrupt(b, ARCH_VIRTIO_IRQ + i);
	aml_resources_end(b, resources);
	aml_end(b, device);
}

/* The generation ID, and the device whose interrupt says that it is new. */
static void acpi_genid(struct buf *b)
{
	static const char *const ids[] = { "VM_Gen_Counter", "VM_GEN_COUNTER" };
	size_t device = aml_device(b, "VGEN"), inner;

	aml_name(b, "_HID");
	aml_text(b, "VMGENCTR");
	aml_name(b, "_CID");
	inner = aml_package(b, ARRAY_SIZE(ids));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		aml_text(b, ids[i]);
	aml_end(b, inner);
	aml_name(b, "_DDN");
	aml_text(b, "VM_Gen_Counter");
	aml_name(b, "ADDR");
	inner = aml_package(b, 2);
	aml_number(b, GENID_GPA);
	aml_number(b, 0);
	aml_end(b, inner);
	aml_end(b, device);

	device = aml_device(b, "GED0");
	aml_name(b, "_HID");
	aml_text(b, "ACPI0013");
	aml_name(b, "_UID");
	aml_number(b, 0);
	inner = aml_resources(b);
	aml_interrupt(b, GENID_IRQ);
	aml_resources_end(b, inner);
	inner = aml_method(b, "_EVT", 1);
	aml_notify_if(b, GENID_IRQ, "VGEN", 0x80);
	aml_end(b, inner);
	aml_end(b, device);
}

static uint64_t acpi_dsdt(struct buf *b, unsigned n_virtio)
{
	size_t at = acpi_begin(b), scope = aml_scope(b, "\\_SB_"), off;

	acpi_serial(b);
	for (unsigned i = 0; i < n_virtio; i++)
		acpi_virtio(b, i);
	acpi_genid(b);
	aml_end(b, scope);
	aml_name(b, "\\_S5_");
	off = aml_package(b, 2);
	aml_number(b, POWER_SLEEP_OFF);
	aml_number(b, 0);
	aml_end(b, off);
	acpi_end(b, at, "DSDT", 2);
	return ACPI_GPA + at;
}

static uint64_t acpi_fadt(struct buf *b, uint64_t dsdt)
{
	const struct acpi_fadt rest = {
		.boot_flags = BOOT_NO_VGA | BOOT_NO_RTC,
		.flags = FADT_RESET | FADT_REDUCED,
		.reset = { SPACE_IO, 8, 0, 1, POWER_RESET },
		.reset_value = POWER_RESET_VALUE,
		.minor = 4,
		.dsdt = dsdt,
		.sleep_control = { SPACE_IO, 8, 0, 1, POWER_SLEEP_CONTROL },
		.sleep_status = { SPACE_IO, 8, 0, 1, POWER_SLEEP_STATUS },
	};
	size_t at = acpi_begin(b);

	buf_add(b, (const uint8_t *)&rest + sizeof(rest.head), sizeof(rest) - sizeof(rest.head));
	acpi_end(b, at, "FACP", 6);
	return ACPI_GPA + at;
}

static uint64_t acpi_madt(struct buf *b, unsigned n_vcpus)
{
	static const struct {
		uint32_t lapic, flags;
	} __attribute__((packed)) fixed = { LAPIC_GPA, 0 };
	static const struct {
		uint8_t type, size, id, zero;
		uint32_t at, gsi_base;
	} __attribute__((packed)) ioapic = { 1, 12, 0, 0, IOAPIC_GPA, 0 };
	size_t at = acpi_begin(b);

	buf_add(b, &fixed, sizeof(fixed));
	for (unsigned i = 0; i < n_vcpus; i++) {
		const struct {
			uint8_t type, size, processor, apic;
			uint32_t enabled;
		} __attribute__((packed)) lapic = { 0, 8, (uint8_t)i, (uint8_t)i, 1 };

		buf_add(b, &lapic, sizeof(lapic));
	}
	buf_add(b, &ioapic, sizeof(ioapic));
	acpi_end(b, at, "APIC", 5);
	return ACPI_GPA + at;
}

void acpi_build(struct buf *to, unsigned n_vcpus, unsigned n_virtio)
{
	static const uint8_t zeros[RSDP_SIZE];
	uint64_t tables[2], dsdt, xsdt;
	uint8_t *rsdp;
	size_t at;

	buf_add(to, zeros, RSDP_SIZE);
	dsdt = acpi_dsdt(to, n_virtio);
	tables[0] = acpi_fadt(to, dsdt);
	tables[1] = acpi_madt(to, n_vcpus);
	at = acpi_begin(to);
	buf_add(to, tables, sizeof(tables));
	acpi_end(to, at, "XSDT", 1);
	xsdt = ACPI_GPA + at;
	assert(to->size <= ACPI_SIZE);

	/* ACPI 6.4, 5.2.5.3: a checksum of the first 20 bytes, then one of all. */
	rsdp = to->data;
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "DOZE  ", 6);
	rsdp[15] = 2;
	rsdp[20] = RSDP_SIZE;
	memcpy(rsdp + 24, &xsdt, sizeof(xsdt));
	acpi_sum(rsdp, 20, rsdp + 8);
	acpi_sum(rsdp, RSDP_SIZE, rsdp + 32);
}
