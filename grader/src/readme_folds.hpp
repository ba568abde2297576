// The folded parts of a task's README: hints, one at a time, and the reference.
//
//   <details><summary>Hint 1</summary>      text in Markdown                </details>
//   <details><summary>Reference</summary>   ```cpp … the solution … ```     </details>
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace grader {

struct Folds {
  std::vector<std::string> hints;        // in the order of the page, trimmed
  std::optional<std::string> reference;  // the code in the fold's fence, without the fence
};

// Reads what is there; a page without folds has none.
Folds read_folds(std::string_view readme);

// The page with the reference's code replaced by `code`. Nothing when there is no such fold, or
// no fence in it.
std::optional<std::string> with_reference(std::string_view readme, std::string_view code);

// Markdown for a terminal: paragraphs and list items filled to `width`, fenced code indented and
// untouched, emphasis and HTML entities resolved.
std::string plain_markdown(std::string_view markdown, std::size_t width);

}  // namespace grader
