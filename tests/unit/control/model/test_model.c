/* The model: what is put into the store comes back as it was. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "base/io.h"
#include "control/control.h"
#include "control/model/model.h"

static char where[] = "/tmp/doze-model-XXXXXX";
static struct conf conf;
static int tokens;

static void take_token(struct control *ctl, const struct store_token *row)
{
	(void)ctl;
	tokens++;
	assert_string_equal(row->account, conf.account);
	assert_string_equal(row->answer, "{}");
}

static void begin(struct control *ctl, int dir)
{
	const struct store_place place = { .dir = dir, .account = conf.account };
	struct err e;

	*ctl = (struct control){ .conf = &conf };
	model_init(ctl);
	ctl->store = store_open(&place, &e);
	assert_non_null(ctl->store);
}

static void end(struct control *ctl)
{
	store_close(ctl->store);
	list_each(vm, &ctl->microvms, struct microvm, in_control) model_microvm_free(vm);
	list_each(image, &ctl->images, struct image, in_control) model_image_free(ctl, image);
	model_close(ctl);
}

static void put_all(struct control *ctl)
{
	struct store_txn *t = store_begin(ctl->store);
	struct image *image = model_image_new(conf.account, "hello");
	struct image_version *v = model_version_new(
		image, 1, json_pack("{s:[{s:i}]}", "resources", "minimumMemoryInMiB", 512));
	struct build *b = model_build_new(v);
	struct microvm *vm = model_microvm_new(
		ctl, v,
		json_pack("{s:{s:i,s:i,s:b},s:i,s:[s]}", "idlePolicy", "maxIdleDurationSeconds", 60,
			  "suspendedDurationSeconds", 300, "autoResumeEnabled", 1,
			  "maximumDurationInSeconds", 100, "ingressNetworkConnectors",
			  "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:"
			  "NO_INGRESS"));

	model_add_image(ctl, image);
	model_add_version(v);
	image->state = IMAGE_CREATED;
	image->tags = json_pack("{s:s}", "team", "a");
	v->state = VERSION_SUCCESSFUL;
	v->status = VERSION_ACTIVE;
	v->shape = (struct machine_shape){ .vcpus = 1, .memory_mib = 2048 };
	v->listening[v->n_listening++] = 5000;
	b->state = BUILD_FAILED;
	b->code = xstrdup("DISK_STORAGE_FULL");
	strcpy(vm->machine_id, "m-1");
	vm->state = VM_SUSPENDED;
	vm->checkpoint = 3;
	list_add(&ctl->microvms, &vm->in_control);
	model_put_image(t, image);
	model_put_version(t, v);
	model_put_build(t, b);
	model_put_microvm(t, vm);
	store_put_token(t, &(struct store_token){ conf.account, "Run", "t", "h", "{}", 1 });
	store_commit(t, NULL, NULL);
}

static void *found(void *p)
{
	if (!p)
		abort();
	return p;
}

static void test_what_is_put_comes_back(void **unused)
{
	autoclose int dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct control ctl;
	struct image *image;
	struct image_version *v;
	const struct build *b;
	struct microvm *vm;
	struct err e;
	char *arn;

	(void)unused;
	begin(&ctl, dir);
	put_all(&ctl);
	end(&ctl);
	begin(&ctl, dir);
	assert_int_equal(model_load(&ctl, take_token, &e), 0);
	assert_int_equal(tokens, 1);
	image = found(model_image_by_name(&ctl, "000000000000", "hello"));
	assert_ptr_equal(image, model_image_by_id(&ctl, image->id));
	assert_string_equal(json_string_value(json_object_get(image->tags, "team")), "a");
	v = found(model_active_version(image));
	assert_ptr_equal(v, model_version(image, 1));
	assert_int_equal(v->memory_mib, 512);
	assert_int_equal(v->shape.memory_mib, 2048);
	assert_int_equal(v->n_listening, 1);
	assert_int_equal(v->listening[0], 5000);
	assert_int_equal(v->n_microvms, 1);
	b = found(list_first(&v->builds, struct build, in_version));
	assert_string_equal(b->code, "DISK_STORAGE_FULL");
	vm = found(list_first(&ctl.microvms, struct microvm, in_control));
	assert_ptr_equal(vm, model_microvm(&ctl, vm->id));
	assert_ptr_equal(vm, model_microvm_by_endpoint(&ctl, vm->endpoint));
	assert_int_equal(vm->state, VM_SUSPENDED);
	assert_int_equal(vm->checkpoint, 3);
	assert_string_equal(vm->machine_id, "m-1");
	assert_true(vm->idle.given && vm->idle.auto_resume);
	assert_int_equal(vm->idle.max_idle_ms, 60000);
	assert_int_equal(vm->max_duration_ms, 100000);
	assert_false(vm->http_ingress);
	assert_true(vm->internet);
	arn = model_image_arn(&ctl, image);
	assert_string_equal(arn, "arn:aws:lambda:us-east-1:000000000000:microvm-image:hello");
	free(arn);
	end(&ctl);
}

static void test_accounts_have_images_of_the_same_name(void **unused)
{
	struct image *one = model_image_new("111111111111", "web");
	struct image *two = model_image_new("222222222222", "web");
	struct control ctl = { .conf = &conf };
	autofree char *arn = NULL;

	(void)unused;
	model_init(&ctl);
	model_add_image(&ctl, one);
	model_add_image(&ctl, two);
	assert_ptr_equal(model_image_by_name(&ctl, "111111111111", "web"), one);
	assert_ptr_equal(model_image_by_name(&ctl, "222222222222", "web"), two);
	assert_null(model_image_by_name(&ctl, "333333333333", "web"));
	assert_int_equal(account_find(&ctl, "111111111111")->n_images, 1);
	arn = model_image_arn(&ctl, two);
	assert_string_equal(arn, "arn:aws:lambda:us-east-1:222222222222:microvm-image:web");
	model_image_free(&ctl, one);
	assert_int_equal(account_find(&ctl, "111111111111")->n_images, 0);
	assert_true(list_empty(&account_find(&ctl, "111111111111")->images));
	model_image_free(&ctl, two);
	model_close(&ctl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_put_comes_back),
		cmocka_unit_test(test_accounts_have_images_of_the_same_name),
	};
	int failed;

	conf_defaults(&conf, "");
	if (!mkdtemp(where))
		return 1;
	failed = cmocka_run_group_tests_name("model", tests, NULL, NULL);
	return io_remove_tree(AT_FDCWD, where) ? 1 : failed;
}
