// The way results take to the grader: one JSON object per line, each line signed with a nonce that
// the grader chose for this run.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace explorer {

// One message, for example Event("end").text("test", name).number("ms", 1.2).
class Message {
 public:
  explicit Message(std::string_view event);

  Message& text(std::string_view key, std::string_view value);
  Message& texts(std::string_view key, std::span<const std::string> values);
  Message& number(std::string_view key, double value);
  Message& flag(std::string_view key, bool value);

  std::string json() const { return json_ + "}"; }

 private:
  Message& key(std::string_view name);
  std::string json_;
};

// The channel is the file descriptor named by WORKBOOK_CHANNEL. It and the nonce are taken, and the
// variable is removed, before any other code of the program runs. The children that run the code
// under test have neither.
namespace channel {

bool present();  // false: started by hand
void send(const Message& message);
void forget();  // in a child: closes it and wipes the nonce

}  // namespace channel
}  // namespace explorer
