/* What S3 adds to HTTP: chunks, checksums, XML, names. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/s3_body.h"
#include "wire/s3_form.h"

/* The payload, "|" at the end of each chunk, then "E", "?" (more is needed) or "!" (broken). */
static const char *chunks_told(const char *text, size_t size, size_t step)
{
	static struct buf out;
	struct s3_chunks c = { 0 };
	size_t at = 0, have = 0;

	buf_clear(&out);
	for (;;) {
		const uint8_t *piece;
		size_t used, n;
		enum s3_chunk_event ev = s3_chunks_next(&c, (const uint8_t *)text + at, have - at,
							&used, &piece, &n);

		at += used;
		if (ev == S3_CHUNK_DATA) {
			buf_add(&out, piece, n);
		} else if (ev == S3_CHUNK_DONE) {
			buf_adds(&out, "|");
		} else if (ev == S3_CHUNK_END) {
			buf_adds(&out, "E");
			buf_adds(&out, c.trailers);
		} else if (ev == S3_CHUNK_BAD) {
			buf_adds(&out, "!");
			break;
		} else if (have == size) {
			break;
		} else {
			have = have + step < size ? have + step : size;
		}
	}
	return buf_str(&out);
}

#define SIG "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_chunks_are_read_or_refused_however_they_are_cut(void **unused)
{
	/* clang-format off */
	static const struct { const char *text, *want; } rows[] = {
		{ "5\r\nhello\r\n0\r\n\r\n", "hello||E" },
		{ "5\r\nhello\r\n1\r\n!\r\n0\r\nX-Amz-Checksum-CRC32: AAAAAA==\r\n\r\n", "hello|!||Ex-amz-checksum-crc32:AAAAAA==\n" },
		{ "5;chunk-signature=" SIG "\r\nhello\r\n0;chunk-signature=" SIG "\r\nx-amz-trailer-signature:" SIG "\r\n\r\n", "hello||E" },
		{ "0\r\n\r\nmore", "|E!" },
		{ "5\r\nhello\r\n0\r\n", "hello||" },
		{ "5\r\nhel", "hel" },
		{ "", "" },
		{ "5\nhello\r\n", "!" },
		{ "+5\r\nhello\r\n", "!" },
		{ "0x5\r\nhello\r\n", "!" },
		{ " 5\r\nhello\r\n", "!" },
		{ "5 \r\nhello\r\n", "!" },
		{ "\r\n", "!" },
		{ "5;a=b\r\nhello\r\n", "!" },
		{ "5;chunk-signature=short\r\nhello\r\n", "!" },
		{ "5;chunk-signature=" SIG "0\r\nhello\r\n", "!" },
		{ "ffffffffffffffff\r\n", "!" },
		{ "4\r\nhello\r\n", "hell!" },
		{ "5\r\nhello\n", "hello!" },
		{ "0\r\nno colon\r\n\r\n", "|!" },
		{ "0\r\na b:c\r\n\r\n", "|!" },
		{ "0\r\n:c\r\n\r\n", "|!" },
		{ "0\r\na:b\x01\r\n\r\n", "|!" },
		{ "0\r\na:b\r\r\n\r\n", "|!" },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t step = 1; step < 200; step = step * 3 + 1)
			assert_string_equal(chunks_told(rows[i].text, strlen(rows[i].text), step),
					    rows[i].want);
}

static void test_a_trailer_is_found_by_its_name(void **unused)
{
	struct s3_chunks c = { .trailers =
				       "x-amz-checksum-crc32c:one\nx-amz-checksum-crc32:two\n" };
	char value[8];

	(void)unused;
	assert_true(s3_trailer(&c, "x-amz-checksum-crc32", value, sizeof(value)));
	assert_string_equal(value, "two");
	assert_false(s3_trailer(&c, "x-amz-checksum", value, sizeof(value)));
	assert_false(s3_trailer(&c, "x-amz-checksum-crc32", value, 3));
}

static void test_checksums_are_those_of_the_published_vectors(void **unused)
{
	/* clang-format off */
	static const struct { enum s3_sum_kind kind; const char *text, *base64; } rows[] = {
		{ S3_SUM_CRC32, "123456789", "y/Q5Jg==" },
		{ S3_SUM_CRC32C, "123456789", "4waSgw==" },
		{ S3_SUM_CRC64NVME, "123456789", "rosUhgp5mIg=" },
		{ S3_SUM_CRC32, "", "AAAAAA==" },
		{ S3_SUM_SHA1, "abc", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=" },
		{ S3_SUM_SHA256, "abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=" },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t cut = 0; cut <= strlen(rows[i].text); cut++) {
			struct s3_sum *s = s3_sum_new(rows[i].kind);
			uint8_t raw[S3_SUM_BYTES];
			char text[S3_SUM_TEXT];

			s3_sum_add(s, rows[i].text, cut);
			s3_sum_add(s, rows[i].text + cut, strlen(rows[i].text) - cut);
			s3_sum_free(s, raw);
			s3_base64(raw, s3_sum_rows[rows[i].kind].size, text);
			assert_string_equal(text, rows[i].base64);
		}
	assert_int_equal(s3_sum_by_name("crc32c"), S3_SUM_CRC32C);
	assert_int_equal(s3_sum_by_header("x-amz-checksum-sha1"), S3_SUM_SHA1);
	assert_int_equal(s3_sum_by_header(""), S3_SUM_NONE);
}

static void test_base64_is_taken_only_in_its_one_form(void **unused)
{
	uint8_t raw[S3_SUM_BYTES];

	(void)unused;
	assert_true(s3_unbase64("y/Q5Jg==", raw, 4));
	assert_int_equal(raw[0], 0xcb);
	assert_false(s3_unbase64("y/Q5Jg=", raw, 4));
	assert_false(s3_unbase64("y/Q5Jh==", raw, 4)); /* bits that say nothing */
	assert_false(s3_unbase64("y/Q5Jg==", raw, 5));
	assert_false(s3_unbase64("", raw, 4));
	assert_false(s3_unbase64("!!!!!!==", raw, 4));
}

static void test_keys_are_utf8_of_bounded_length(void **unused)
{
	char longest[S3_KEY_SIZE];

	(void)unused;
	memset(longest, 'a', sizeof(longest));
	assert_true(s3_key_valid(longest, 1024));
	assert_false(s3_key_valid(longest, 1025));
	assert_false(s3_key_valid("", 0));
	assert_true(s3_key_valid("../x", 4));
	assert_true(s3_key_valid("\xf0\x9f\x98\x80", 4));
	assert_false(s3_key_valid("a\0b", 3));
	assert_false(s3_key_valid("\xc0\x80", 2));     /* overlong */
	assert_false(s3_key_valid("\xed\xa0\x80", 3)); /* a surrogate */
	assert_false(s3_key_valid("\xff", 1));
	assert_false(s3_key_valid("\xe2\x82", 2));
}

static void test_bucket_names_are_dns_labels(void **unused)
{
	static const char *const good[] = { "abc", "a.b-c.d", "0-0", "my-bucket.2026" };
	static const char *const bad[] = { "ab",   "",        "Abc",  "a_b_c", "-abc",
					   "abc-", ".abc",    "abc.", "a..b",  "a.-b",
					   "a-.b", "1.2.3.4", "../x", "a/b" };
	char text[65];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(s3_bucket_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(s3_bucket_valid(bad[i]));
	memset(text, 'a', 64);
	text[64] = '\0';
	assert_false(s3_bucket_valid(text));
	assert_true(s3_bucket_valid(text + 1));
}

static int parse_delete(const char *text, struct s3_delete *d)
{
	struct err e;

	return s3_delete_parse(d, text, strlen(text), &e);
}

static void test_a_delete_names_keys_with_entities(void **unused)
{
	struct s3_delete d;

	(void)unused;
	assert_int_equal(parse_delete("<?xml version=\"1.0\"?>\n<Delete xmlns=\"http://x/\"><!-- "
				      "<Key>no</Key> -->"
				      "<Object><Key>a&amp;b&#x9;&#233;</Key></"
				      "Object><s3:Object><s3:Key>c</s3:Key>"
				      "<VersionId/></s3:Object><Quiet>true</Quiet></Delete>",
				      &d),
			 0);
	assert_int_equal(d.n, 2);
	assert_string_equal(d.keys[0], "a&b\t\xc3\xa9");
	assert_string_equal(d.keys[1], "c");
	assert_true(d.quiet);
	s3_delete_free(&d);
}

static void test_xml_that_is_not_well_formed_is_refused(void **unused)
{
	static const char *const rows[] = {
		"",
		"<Delete>",
		"<Delete></Other>",
		"<Delete></Delete>",
		"</Delete>",
		"<Delete><Object><Key>a</Object></Key></Delete>",
		"<!DOCTYPE x [<!ENTITY a \"b\">]><Delete><Object><Key>&a;</Key></Object></Delete>",
		"<Delete><Object><Key>&nbsp;</Key></Object></Delete>",
		"<Delete><Object><Key>&#0;</Key></Object></Delete>",
		"<Delete><Object><Key>&#xd800;</Key></Object></Delete>",
		"<Delete><Object><Key>&#x110000;</Key></Object></Delete>",
		"<Delete><Object><Key>&amp</Key></Object></Delete>",
		"<Delete><Object><Key><![CDATA[a]]></Key></Object></Delete>",
		"<Delete><Object><Key></Key></Object></Delete>",
		"<Delete><Object><Key>\xff</Key></Object></Delete>",
		"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>",
		"<Delete a=\"<\"><Object><Key>a",
	};
	struct s3_delete d;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(parse_delete(rows[i], &d), -1);
}

#define PART(n, etag, more) \
	"<Part><PartNumber>" n "</PartNumber><ETag>" etag "</ETag>" more "</Part>"
#define COMPLETE(parts) "<CompleteMultipartUpload>" parts "</CompleteMultipartUpload>"

static void test_the_parts_of_an_upload_ascend(void **unused)
{
	/* clang-format off */
	static const struct { const char *text; int kind; } rows[] = {
		{ COMPLETE(PART("1", "&quot;aa&quot;", "") PART("3", "bb", "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>")), -1 },
		{ COMPLETE(PART("2", "aa", "") PART("2", "bb", "")), ERR_CONFLICT },
		{ COMPLETE(PART("2", "aa", "") PART("1", "bb", "")), ERR_CONFLICT },
		{ COMPLETE(PART("0", "aa", "")), ERR_INVALID },
		{ COMPLETE(PART("10001", "aa", "")), ERR_INVALID },
		{ COMPLETE(PART("-1", "aa", "")), ERR_INVALID },
		{ COMPLETE(PART("1x", "aa", "")), ERR_INVALID },
		{ COMPLETE("<Part><PartNumber>1</PartNumber></Part>"), ERR_INVALID },
		{ COMPLETE("<Part><ETag>a</ETag></Part>"), ERR_INVALID },
		{ COMPLETE(""), ERR_INVALID },
	};
	/* clang-format on */
	struct s3_complete c;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int rc = s3_complete_parse(&c, rows[i].text, strlen(rows[i].text), &e);

		assert_int_equal(rc ? (int)e.kind : -1, rows[i].kind);
		if (rc)
			continue;
		assert_int_equal(c.n, 2);
		assert_string_equal(c.parts[0].etag, "aa");
		assert_int_equal(c.parts[1].number, 3);
		assert_int_equal(c.parts[1].sum_kind, S3_SUM_CRC32);
		assert_string_equal(c.parts[1].sum, "AAAAAA==");
		s3_complete_free(&c);
	}
}

static void test_text_is_escaped_on_its_way_out(void **unused)
{
	autobuf struct buf b = { 0 };

	(void)unused;
	s3_xml_put(&b, "Key", "<a>&\"b\"\t\xc3\xa9");
	assert_string_equal(buf_str(&b), "<Key>&lt;a&gt;&amp;&quot;b&quot;&#x9;\xc3\xa9</Key>");
}

static void test_a_location_may_be_absent(void **unused)
{
	const char text[] = "<CreateBucketConfiguration><LocationConstraint>eu-west-1"
			    "</LocationConstraint></CreateBucketConfiguration>";
	char location[65];
	struct err e;

	(void)unused;
	assert_int_equal(s3_location_parse(location, "", 0, &e), 0);
	assert_string_equal(location, "");
	assert_int_equal(s3_location_parse(location, text, strlen(text), &e), 0);
	assert_string_equal(location, "eu-west-1");
	assert_int_equal(s3_location_parse(location, "<a>", 3, &e), -1);
}

/* All of a form in pieces of @step bytes: the file's bytes, with "!" if it ends. */
static void read_form(struct s3_form *f, const char *text, size_t size, size_t step,
		      struct buf *file)
{
	enum s3_form_event event;
	const uint8_t *piece;
	size_t used, n;

	assert_true(s3_form_begin(f, "Multipart/Form-Data; charset=x; boundary=\"a b\""));
	for (size_t at = 0; at < size; at += step) {
		const uint8_t *part = (const uint8_t *)text + at;
		size_t left = size - at < step ? size - at : step;

		do {
			event = s3_form_next(f, part, left, &used, &piece, &n);
			part += used;
			left -= used;
			if (event == S3_FORM_DATA)
				buf_add(file, piece, n);
			if (event == S3_FORM_END || event == S3_FORM_BAD)
				buf_adds(file, event == S3_FORM_END ? "!" : "?");
		} while (event != S3_FORM_MORE && event != S3_FORM_BAD);
		if (event == S3_FORM_BAD)
			return;
	}
}

#define FORM_PART(head, value) \
	"--a b\r\nContent-Disposition: form-data; " head "\r\n\r\n" value "\r\n"

static void test_a_form_is_taken_apart_in_pieces_of_any_size(void **unused)
{
	static const char text[] = FORM_PART("name=\"Key\"", "up/${filename}-${filename}")
		FORM_PART("x=y; name=\"a\\\"b\"",
			  "\r\n--a c\r\n") "--a b\r\nX: y\r\n"
					   "content-disposition: form-data; "
					   "filename=\"C:\\d\\e.png\"; "
					   "name=\"file\"\r\n\r\n"
					   "one\r\n--a\r\r\n--a b\r\nanything";

	(void)unused;
	for (size_t step = 1; step < sizeof(text); step++) {
		autobuf struct buf file = { 0 }, key = { 0 };
		struct s3_form f;

		read_form(&f, text, sizeof(text) - 1, step, &file);
		assert_string_equal(buf_str(&file), "one\r\n--a\r!");
		assert_string_equal(s3_form_field(&f, "key"), "up/${filename}-${filename}");
		assert_string_equal(s3_form_field(&f, "a\"b"), "\r\n--a c\r\n");
		assert_null(s3_form_field(&f, "file"));
		assert_true(s3_form_key(&f, &key));
		assert_string_equal(buf_str(&key), "up/e.png-e.png");
		s3_form_free(&f);
	}
}

static void test_a_form_without_its_shape_is_refused(void **unused)
{
	static const char *const rows[] = {
		"x--a b\r\n",
		"--a b--\r\n",
		"--a b\r\n\r\nx",
		"--a bxy",
		FORM_PART("name=key", "x"),
		FORM_PART("filename=\"name\"", "x"),
		"--a b\r\nContent-Disposition: form-data; name=\"x\n\r\n",
		FORM_PART("name=\"x\"\r\nContent-Disposition: form-data; name=\"y\"", "z"),
	};
	autobuf struct buf many = { 0 };
	struct s3_form f;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autobuf struct buf file = { 0 };

		read_form(&f, rows[i], strlen(rows[i]), 7, &file);
		s3_form_free(&f);
		if (strcmp(buf_str(&file), "?") != 0)
			fail_msg("%s", rows[i]);
	}
	for (int i = 0; i <= S3_FORM_FIELDS; i++)
		buf_adds(&many, FORM_PART("name=\"x\"", "y"));
	for (int i = 0; i < 2; i++) {
		autobuf struct buf file = { 0 };

		read_form(&f, buf_str(&many), many.size, 1000, &file);
		s3_form_free(&f);
		assert_string_equal(buf_str(&file), "?");
		buf_clear(&many);
		buf_adds(&many, "--a b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n");
		while (many.size < S3_FORM_SIZE + 100)
			buf_adds(&many, "0123456789");
	}
	assert_false(s3_form_begin(&f, "multipart/form-data"));
	s3_form_free(&f);
	assert_false(s3_form_begin(&f, "application/x-www-form-urlencoded; boundary=x"));
	s3_form_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_form_is_taken_apart_in_pieces_of_any_size),
		cmocka_unit_test(test_a_form_without_its_shape_is_refused),
		cmocka_unit_test(test_chunks_are_read_or_refused_however_they_are_cut),
		cmocka_unit_test(test_a_trailer_is_found_by_its_name),
		cmocka_unit_test(test_checksums_are_those_of_the_published_vectors),
		cmocka_unit_test(test_base64_is_taken_only_in_its_one_form),
		cmocka_unit_test(test_keys_are_utf8_of_bounded_length),
		cmocka_unit_test(test_bucket_names_are_dns_labels),
		cmocka_unit_test(test_a_delete_names_keys_with_entities),
		cmocka_unit_test(test_xml_that_is_not_well_formed_is_refused),
		cmocka_unit_test(test_the_parts_of_an_upload_ascend),
		cmocka_unit_test(test_text_is_escaped_on_its_way_out),
		cmocka_unit_test(test_a_location_may_be_absent),
	};

	return cmocka_run_group_tests_name("wire/s3", tests, NULL, NULL);
}
