#include "ledger_entry.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "digest.hpp"

namespace grader {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<Event, const char*>, 6> kEventNames = {{
    {Event::hint, "hint"},
    {Event::solution, "solution"},
    {Event::version, "version"},
    {Event::passed, "passed"},
    {Event::rejected, "rejected"},
    {Event::third, "third"},
}};

const char* name_of(Event event) {
  return std::ranges::find(kEventNames, event, [](const auto& pair) { return pair.first; })->second;
}

// The hash covers everything else in the line, the previous line's hash included. Keys are sorted,
// so the text is the same whoever writes it.
std::string hash_of(json line) {
  line.erase("hash");
  return sha256(line.dump(-1, ' ', false, json::error_handler_t::replace));
}

struct ReadLine {
  Entry entry;
  std::string previous;
  std::string claimed;
  bool genuine = false;  // the hash fits the contents
};

std::optional<ReadLine> read_line(std::string_view text) {
  const auto line = json::parse(text, nullptr, false);
  if (!line.is_object()) return std::nullopt;
  const auto text_at = [&](const char* key) {
    const auto at = line.find(key);
    return at != line.end() && at->is_string() ? at->get<std::string>() : std::string{};
  };
  const auto number_at = [&](const char* key) {
    const auto at = line.find(key);
    return at != line.end() && at->is_number_integer() ? at->get<int>() : 0;
  };
  const auto event = std::ranges::find(kEventNames, text_at("event"),
                                       [](const auto& pair) { return std::string(pair.second); });
  if (event == kEventNames.end()) return std::nullopt;
  ReadLine read;
  read.entry = {.at = text_at("at"),
                .event = event->first,
                .task = number_at("task"),
                .number = number_at("number"),
                .hash = text_at("of")};
  read.previous = text_at("previous");
  read.claimed = text_at("hash");
  read.genuine = read.claimed == hash_of(line);
  return read;
}

}  // namespace

LedgerText parse_ledger(std::string_view text) {
  LedgerText ledger;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    if (end == std::string_view::npos) {
      ledger.torn = text.substr(at);
      break;
    }
    ++number;
    const auto line = text.substr(at, end - at);
    at = end + 1;
    ledger.whole = at;
    auto read = read_line(line);
    if (!read) {
      ledger.changed_lines.push_back(number);
      continue;
    }
    read->entry.trusted = read->genuine && read->previous == ledger.last_hash;
    if (!read->entry.trusted) ledger.changed_lines.push_back(number);
    ledger.last_hash = read->claimed;
    ledger.entries.push_back(std::move(read->entry));
  }
  return ledger;
}

std::string ledger_line(const Entry& entry, const std::string& previous) {
  json line = {{"at", entry.at}, {"event", name_of(entry.event)}, {"task", entry.task}};
  if (entry.number != 0) line["number"] = entry.number;
  if (!entry.hash.empty()) line["of"] = entry.hash;
  line["previous"] = previous;
  line["hash"] = hash_of(line);
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

TaskHistory history(const std::vector<Entry>& entries, int task) {
  TaskHistory told;
  for (const auto& entry : entries) {
    if (entry.task != task) continue;
    switch (entry.event) {
      case Event::hint:
        told.hints_opened = std::max(told.hints_opened, entry.number);
        told.hint_first = told.hint_first || !told.passed;
        break;
      case Event::solution:
        told.reference_opened = true;
        told.reference_first = told.reference_first || !told.passed;
        break;
      case Event::version:
        if (entry.trusted) told.versions.push_back({entry.number, entry.hash});
        break;
      case Event::rejected:
        for (auto& version : told.versions) {
          version.rejected |= entry.trusted && version.hash == entry.hash;
        }
        break;
      case Event::passed:
        told.passed = told.passed || entry.trusted;
        break;
      case Event::third:
        if (entry.trusted && !told.reference_opened) told.qualified_before_reference = true;
        break;
    }
  }
  return told;
}

}  // namespace grader
