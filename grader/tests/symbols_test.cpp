// What an object may define and ask for.
#include "symbols.hpp"

#include <gtest/gtest.h>

namespace grader {
namespace {

std::string objection_to(const std::string& nm_line) {
  const auto objections = object_to_symbols(parse_symbols(nm_line + "\n"), nullptr, {});
  return objections.empty() ? "" : objections.front().reason;
}

TEST(Symbols, NewAndDeleteOfTheWholeProgramAreRefused) {
  for (const char* name : {"_Znwm", "_Znam", "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZnwmSt11align_val_t",
                           "_ZnwmRKSt9nothrow_t"}) {
    for (const char* kind : {" T 0 10", " W 0 10"}) {
      EXPECT_TRUE(objection_to(name + std::string(kind)).contains("operator new")) << name << kind;
    }
  }
}

TEST(Symbols, WhatOnlyLooksLikeThemIsNot) {
  for (const char* name : {"_ZnwmPv",          // placement new, inline in <new>
                           "_ZnamPv",          //
                           "_ZdlPvS_",         // and its counterparts
                           "_ZdaPvS_",         //
                           "_ZneRK5RatioS1_",  // operator!= of the global namespace
                           "_ZngRK5Ratio",     // operator-
                           "_ZdvRK5RatioS1_",  // operator/
                           "_ZN4WorknwEm"}) {  // a class's own operator new
    EXPECT_EQ(objection_to(name + std::string(" W 0 10")), "") << name;
  }
}

TEST(Symbols, AFunctionOfTheLibraryIsNotToBeReplaced) {
  EXPECT_TRUE(objection_to("memcpy T 0 10").contains("memcpy"));
  EXPECT_TRUE(objection_to("fork U").contains("fork"));
  EXPECT_EQ(objection_to("memcpy U"), "");
}

TEST(Symbols, WhatNobodyKnowsIsRefused) {
  for (const char* name : {"strfry", "strcat", "l64a_r", "argz_add", "sincos", "_obstack_newchunk",
                           "pthread_spin_lock", "pthread_barrier_wait", "thrd_create", "mtx_lock",
                           "cnd_wait", "call_once", "__atomic_load", "__atomic_load_8"}) {
    EXPECT_TRUE(objection_to(name + std::string(" U")).contains("does not know")) << name;
  }
  for (const char* name : {"memcpy", "__memcpy_chk", "__isoc23_strtol", "pthread_mutex_lock",
                           "sem_post", "syscall", "__tsan_read8", "__cxa_throw", "_Unwind_Resume",
                           "sqrtf", "clock_gettime", "eventfd", "__once_proxy", "__udivti3",
                           "__atomic_load_16", "memcpy@GLIBC_2.14", "_ZNSt6thread4joinEv"}) {
    EXPECT_EQ(objection_to(name + std::string(" U")), "") << name;
  }
  // Another task's: what it opens is known, and here refused for what it is.
  EXPECT_TRUE(objection_to("fstatat U").contains("files"));
}

TEST(Symbols, TheTestsCompareTheSameTypesInEveryVersion) {
  const std::string honest =
      "_ZN7testing8internal11CmpHelperEQIiiEENS_15AssertionResultEv W 0 10\n";
  const auto objections_to = [&](const std::string& more, bool tests) {
    const auto known = parse_symbols(honest);
    return object_to_symbols(parse_symbols(honest + more), &known, {.allows = {}, .tests = tests});
  };
  for (const char* name :
       {"_ZN7testing8internal11CmpHelperEQIN7futures8AnythingEiEENS_15AssertionResultEv",
        "_ZN7testing8internal8EqHelper7CompareI3YesiEEv",
        "_ZN7testing15AssertionResultC2I3YesEERKT_"}) {
    EXPECT_EQ(objections_to(name + std::string(" W 0 10\n"), true).size(), 1u) << name;
    EXPECT_TRUE(objections_to(name + std::string(" W 0 10\n"), false).empty()) << name;
  }
  EXPECT_TRUE(objections_to("", true).empty());
  EXPECT_TRUE(objections_to("_ZN7testing7MessagelsIiEERS0_RKT_ W 0 10\n", true).empty());
}

TEST(Symbols, WhatEveryProgramHadACopyOfMayBeCalledWhereItIs) {
  auto submitted = parse_symbols(
      "_ZN7testing7MessageC2Ev U\n_ZTVN7testing4TestE U\n_ZN7testing8internal6RunAllEv U\n");
  forgive_inline_functions(submitted, parse_symbols("_ZN7testing7MessageC2Ev W 0 10\n"
                                                    "_ZTVN7testing4TestE V 0 40\n"
                                                    "_ZN7testing8internal6RunAllEv U\n"));
  EXPECT_EQ(submitted.wanted,
            (std::set<std::string, std::less<>>{"_ZN7testing8internal6RunAllEv"}));
}

}  // namespace
}  // namespace grader
