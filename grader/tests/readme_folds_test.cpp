#include "readme_folds.hpp"

#include <gtest/gtest.h>

namespace grader {
namespace {

constexpr auto kPage = R"md(# Task 4: x
<details><summary>Hint 1: one step</summary>

What is **one** step? See `a &lt; b`.

</details>
<details>
<summary><b>Hint 2</b></summary>

Second, with code:

```cpp
wait(lock);
```

</details>

<details><summary>Reference solution</summary>

```cpp
int answer = 42;
```

</details>
end
)md";

TEST(Folds, AreFoundInOrder) {
  const auto folds = read_folds(kPage);
  ASSERT_EQ(folds.hints.size(), 2U);
  EXPECT_TRUE(folds.hints[0].starts_with("What is"));
  EXPECT_TRUE(folds.hints[1].ends_with("```"));
  EXPECT_EQ(folds.reference, "int answer = 42;\n");
}

TEST(Folds, TheReferenceCanBeRenewed) {
  const auto page = with_reference(kPage, "int answer = 43;\n// really\n");
  ASSERT_TRUE(page);
  EXPECT_EQ(read_folds(*page).reference, "int answer = 43;\n// really\n");
  EXPECT_EQ(read_folds(*page).hints.size(), 2U);
  EXPECT_TRUE(page->ends_with("end\n"));
  EXPECT_EQ(with_reference(*page, "int answer = 42;\n"), kPage);
}

TEST(Folds, APageWithoutThemHasNone) {
  EXPECT_TRUE(read_folds("# Title\n\ntext <details> never closed").hints.empty());
  EXPECT_FALSE(with_reference("# Title", "code"));
}

TEST(Folds, MarkdownReadsWellOnATerminal) {
  EXPECT_EQ(plain_markdown(
                "One **two** `three`\nfour &lt;T&gt;\n\n- item one\n  goes on\n- item 2\n", 16),
            "One two three\nfour <T>\n\n- item one goes\n  on\n- item 2\n");
  EXPECT_EQ(plain_markdown("```cpp\nint  x;\n```\n", 20), "    int  x;\n");
}

}  // namespace
}  // namespace grader
