#include "vmm/arch/x86_64/aml.h"

#include <string.h>

/* ACPI 6.4, 20.2 and 6.4. */
enum {
	AML_NAME = 0x08,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_METHOD = 0x14,
	AML_EXT = 0x5b,
	AML_EXT_DEVICE = 0x82,
	AML_ARG0 = 0x68,
	AML_NOTIFY = 0x86,
	AML_EQUAL = 0x93,
	AML_IF = 0xa0,
	RES_PORTS = 0x47,
	RES_MEMORY32 = 0x86,
	RES_INTERRUPT = 0x89,
	RES_END = 0x79,
};

#define LENGTH_BYTES 3 /* of a package length here: always the form for up to 1 MiB */

static void aml_byte(struct buf *b, unsigned byte)
{
	uint8_t v = (uint8_t)byte;

	buf_add(b, &v, 1);
}

static void aml_le(struct buf *b, uint32_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		aml_byte(b, value >> 8 * i);
}

static size_t aml_begin(struct buf *b)
{
	size_t mark = b->size;

	aml_le(b, 0, LENGTH_BYTES);
	return mark;
}

void aml_end(struct buf *b, size_t mark)
{
	size_t length = b->size - mark;

	assert(length < MIB);
	b->data[mark] = (uint8_t)(0x80 | (length & 0xf));
	b->data[mark + 1] = (uint8_t)(length >> 4);
	b->data[mark + 2] = (uint8_t)(length >> 12);
}

/* Four letters, or a backslash and four. */
static void aml_path(struct buf *b, const char *name)
{
	size_t size = *name == '\\' ? 5 : 4;

	assert(strlen(name) == size);
	buf_add(b, name, size);
}

size_t aml_scope(struct buf *b, const char *name)
{
	size_t mark;

	aml_byte(b, AML_SCOPE);
	mark = aml_begin(b);
	aml_path(b, name);
	return mark;
}

size_t aml_device(struct buf *b, const char *name)
{
	size_t mark;

	aml_byte(b, AML_EXT);
	aml_byte(b, AML_EXT_DEVICE);
	mark = aml_begin(b);
	aml_path(b, name);
	return mark;
}

size_t aml_method(struct buf *b, const char *name, unsigned n_args)
{
	size_t mark;

	aml_byte(b, AML_METHOD);
	mark = aml_begin(b);
	aml_path(b, name);
	aml_byte(b, n_args);
	return mark;
}

size_t aml_package(struct buf *b, unsigned n)
{
	size_t mark;

	aml_byte(b, AML_PACKAGE);
	mark = aml_begin(b);
	aml_byte(b, n);
	return mark;
}

void aml_name(struct buf *b, const char *name)
{
	aml_byte(b, AML_NAME);
	aml_path(b, name);
}

void aml_number(struct buf *b, uint32_t value)
{
	aml_byte(b, AML_DWORD);
	aml_le(b, value, 4);
}

void aml_text(struct buf *b, const char *text)
{
	aml_byte(b, AML_STRING);
	buf_add(b, text, strlen(text) + 1);
}

size_t aml_resources(struct buf *b)
{
	size_t mark;

	aml_name(b, "_CRS");
	aml_byte(b, AML_BUFFER);
	mark = aml_begin(b);
	aml_number(b, 0); /* its size, at the end */
	return mark;
}

void aml_memory(struct buf *b, uint32_t base, uint32_t size)
{
	aml_byte(b, RES_MEMORY32);
	aml_le(b, 9, 2);
	aml_byte(b, 1); /* read and write */
	aml_le(b, base, 4);
	aml_le(b, size, 4);
}

void aml_ports(struct buf *b, uint16_t base, uint8_t size)
{
	aml_byte(b, RES_PORTS);
	aml_byte(b, 1); /* all 16 bits decoded */
	aml_le(b, base, 2);
	aml_le(b, base, 2);
	aml_byte(b, 1);
	aml_byte(b, size);
}

void aml_interrupt(struct buf *b, uint32_t gsi)
{
	aml_byte(b, RES_INTERRUPT);
	aml_le(b, 6, 2);
	aml_byte(b, 0x03); /* consumer, edge, active high, exclusive */
	aml_byte(b, 1);
	aml_le(b, gsi, 4);
}

void aml_resources_end(struct buf *b, size_t mark)
{
	size_t from = mark + LENGTH_BYTES + 5;
	uint32_t size;

	aml_byte(b, RES_END);
	aml_byte(b, 0); /* no checksum */
	size = (uint32_t)(b->size - from);
	for (size_t i = 0; i < 4; i++)
		b->data[from - 4 + i] = (uint8_t)(size >> 8 * i);
	aml_end(b, mark);
}

void aml_notify_if(struct buf *b, uint32_t value, const char *device, uint8_t code)
{
	size_t mark;

	aml_byte(b, AML_IF);
	mark = aml_begin(b);
	aml_byte(b, AML_EQUAL);
	aml_byte(b, AML_ARG0);
	aml_number(b, value);
	aml_byte(b, AML_NOTIFY);
	aml_path(b, device);
	aml_number(b, code);
	aml_end(b, mark);
}
