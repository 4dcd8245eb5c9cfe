// SPDX-License-Identifier: GPL-2.0-only
/*
 * Make the n-th allocation, or copy from or to user space, on behalf of a module
 * fail; or else the n-th attribute or header that it puts into a message of netlink.
 * Used by selftests/fault.sh on the kernel of make check-debug.
 *
 * The kernel's own fault injection counts per task, so it does not reach what
 * happens in softirqs, and on x86 it can't tell on whose behalf that is. This
 * looks whether the module is on the stack. What puts into a message counts if the
 * module itself has called it: the kernel's own messages are not the module's. Parameters:
 *
 *	nth	fail the n-th, and only that; 0: none. Writing it starts counting
 *		at 0.
 *	room	what fails is what puts into a message, and nothing else counts.
 *		It is set while nth is 0.
 *	seen	how many there have been since
 *	where	what has failed, and where the module called it
 */
#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>

#define DEPTH	64

static char *target = "ipsec_token";
module_param(target, charp, 0444);
MODULE_PARM_DESC(target, "The module that is made to suffer");

/* Where its code is, which at first is in two places. */
static unsigned long code_start[2], code_end[2];

static unsigned int nth;
static bool room;
static atomic_t seen;
static char where[2 * KSYM_SYMBOL_LEN];

static bool in_target(unsigned long address)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(code_start); i++)
		if (address >= READ_ONCE(code_start[i]) && address < READ_ONCE(code_end[i]))
			return true;
	return false;
}

static int target_changes(struct notifier_block *nb, unsigned long state, void *data)
{
	const struct module *mod = data;
	int i;

	if (strcmp(mod->name, target))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING) {
		code_end[0] = (unsigned long)mod->core_layout.base + mod->core_layout.text_size;
		code_start[0] = (unsigned long)mod->core_layout.base;
		code_end[1] = (unsigned long)mod->init_layout.base + mod->init_layout.text_size;
		code_start[1] = (unsigned long)mod->init_layout.base;
		return NOTIFY_OK;
	}
	for (i = state == MODULE_STATE_LIVE; i < ARRAY_SIZE(code_start); i++)
		WRITE_ONCE(code_end[i], 0);
	return NOTIFY_OK;
}

static struct notifier_block target_notifier = {
	.notifier_call = target_changes,
};

struct point {
	struct kprobe probe;
	bool (*exempt)(const struct pt_regs *regs);
	unsigned long result;
	bool room;
};

/*
 * What is beneath these is not on behalf of the module: softirqs that happen to
 * interrupt it, news of families to listeners of generic netlink, and what the
 * checks of this kernel keep for themselves. Pages for slabs are left out since
 * whether one is needed is chance.
 */
static bool is_foreign(unsigned long address)
{
	static const char * const names[] = {
		"__do_softirq", "genl_ctrl_event", "___slab_alloc", "stack_depot", "kasan",
		"kmemleak", "create_object", "debug_object", "pcpu_",
	};
	char name[KSYM_SYMBOL_LEN];
	int i;

	sprint_symbol_no_offset(name, address);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strstr(name, names[i]))
			return true;
	return false;
}

/* Where it was called, which the function has not hidden yet by its stack frame. */
static unsigned long caller(const struct pt_regs *regs)
{
	return *(unsigned long *)regs->sp;
}

/* Where the module called what led here; 0 if it did not. */
static unsigned long call_site(const struct pt_regs *regs)
{
	unsigned long entries[DEPTH + 1];
	unsigned int i, j, count;

	entries[0] = caller(regs);
	count = 1 + stack_trace_save(entries + 1, DEPTH, 0);
	for (i = 0; i < count; i++) {
		if (!in_target(entries[i]))
			continue;
		for (j = 0; j < i; j++)
			if (is_foreign(entries[j]))
				return 0;
		return entries[i];
	}
	return 0;
}

static int point_reached(struct kprobe *probe, struct pt_regs *regs)
{
	struct point *point = container_of(probe, struct point, probe);
	unsigned int wanted = READ_ONCE(nth);
	unsigned long site;

	if (!wanted || point->room != room || (point->exempt && point->exempt(regs)))
		return 0;
	if (!point->room)
		site = call_site(regs);
	else
		site = in_target(caller(regs)) ? caller(regs) : 0;
	if (!site || atomic_inc_return(&seen) != wanted)
		return 0;
	snprintf(where, sizeof(where), "%s %pS", probe->symbol_name, (void *)site);

	/* return from the function before it has begun */
	regs->ax = point->result;
	regs->ip = caller(regs);
	regs->sp += sizeof(unsigned long);
	return 1;
}

/* With one of these a probe is not optimized into something that can't return. */
static void point_passed(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static bool slab_exempt(const struct pt_regs *regs)
{
	return (gfp_t)regs->si & __GFP_NOFAIL;
}

static bool pages_exempt(const struct pt_regs *regs)
{
	return (gfp_t)regs->di & __GFP_NOFAIL;
}

#define POINT(name, exempt_, result_, room_) {		\
	.probe = {					\
		.symbol_name = name,			\
		.pre_handler = point_reached,		\
		.post_handler = point_passed,		\
	},						\
	.exempt = exempt_,				\
	.result = result_,				\
	.room = room_,					\
}

static struct point points[] = {
	POINT("should_failslab", slab_exempt, -ENOMEM, false),
	POINT("should_fail_alloc_page", pages_exempt, true, false),
	POINT("should_fail_usercopy", NULL, true, false),
	POINT("__alloc_percpu", NULL, 0, false),
	POINT("__alloc_percpu_gfp", NULL, 0, false),
	POINT("nla_put", NULL, -EMSGSIZE, true),
	POINT("nla_put_64bit", NULL, -EMSGSIZE, true),
	POINT("genlmsg_put", NULL, 0, true),
};

static int nth_set(const char *value, const struct kernel_param *param)
{
	unsigned int wanted;
	int err = kstrtouint(value, 0, &wanted);

	if (err)
		return err;
	if (nth) {
		WRITE_ONCE(nth, 0);
		synchronize_rcu();	/* handlers run without preemption */
	}
	if (!wanted)
		return 0;
	where[0] = '\0';
	atomic_set(&seen, 0);
	WRITE_ONCE(nth, wanted);
	return 0;
}

static int seen_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&seen));
}

static int where_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", where);
}

static const struct kernel_param_ops nth_ops = { .set = nth_set, .get = param_get_uint };
static const struct kernel_param_ops seen_ops = { .get = seen_get };
static const struct kernel_param_ops where_ops = { .get = where_get };

module_param(room, bool, 0600);
module_param_cb(nth, &nth_ops, &nth, 0600);
module_param_cb(seen, &seen_ops, NULL, 0400);
module_param_cb(where, &where_ops, NULL, 0400);

static int __init fail_init(void)
{
	int i, err;

	err = register_module_notifier(&target_notifier);
	for (i = 0; i < ARRAY_SIZE(points) && !err; i++) {
		err = register_kprobe(&points[i].probe);
		if (err)
			pr_err("fail: %s: %d\n", points[i].probe.symbol_name, err);
	}
	if (!err)
		return 0;
	while (--i > 0)
		unregister_kprobe(&points[i - 1].probe);
	unregister_module_notifier(&target_notifier);
	return err;
}

static void __exit fail_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		unregister_kprobe(&points[i].probe);
	unregister_module_notifier(&target_notifier);
}

module_init(fail_init);
module_exit(fail_exit);

MODULE_DESCRIPTION("One allocation, or put into a message, that fails");
MODULE_LICENSE("GPL");
