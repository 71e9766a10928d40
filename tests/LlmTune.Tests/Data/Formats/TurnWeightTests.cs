using System.Globalization;
using System.Text.Json;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data.Formats;

/// <summary>What the keys of OpenAI, ms-swift, torchtune and axolotl say of a turn's part in training.</summary>
public class TurnWeightTests
{
    /// <summary>Trained (+), not (−), or left to the settings, with the factor if it is not 1, and the keys that are not followed.</summary>
    private static string Read(string role, string keys, string format = "messages", IReadOnlyList<string>? roles = null)
    {
        var (list, name, text) = format == "messages" ? ("messages", "role", "content") : ("conversations", "from", "value");
        var row = $$"""{"{{list}}": [{"{{name}}": "{{role}}", "{{text}}": "some words"{{(keys.Length > 0 ? ", " + keys : "")}}}, {"{{name}}": "assistant", "{{text}}": "a"}]}""";
        var settings = new RowSettings { TrainedRoles = roles ?? ["assistant"] };
        var example = Assert.IsType<Example.Chat>(RowFormat.Named(format).Read(new Fields(JsonElement.Parse(row), RowFormat.Named(format), settings)));
        var message = example.Conversation.Messages[0];
        Assert.Null(message.Fields);   // the template sees none of the keys
        var factor = message.Weight == 1 ? "" : message.Weight.ToString(CultureInfo.InvariantCulture);
        return $"{message.Train switch { true => "+", false => "-", null => "" }}{factor}{string.Concat(message.Unused.Select(k => " " + k))}";
    }

    [Theory]
    [InlineData("", "", "")]
    [InlineData("\"weight\": 0", "-", "-")]
    [InlineData("\"weight\": 1", "+", " weight")]
    [InlineData("\"weight\": 0.25", "+0.25", " weight")]
    [InlineData("\"weight\": null", "", "")]
    [InlineData("\"loss_weight\": 2", "+2", " loss_weight")]
    [InlineData("\"loss\": false", "-", "-")]
    [InlineData("\"loss\": true", "+", " loss")]
    [InlineData("\"loss\": 0", "-", "-")]
    [InlineData("\"loss_scale\": 0", "-", "-")]
    [InlineData("\"loss_scale\": 0.0", "-", "-")]
    [InlineData("\"loss_scale\": 0.5", "+0.5", " loss_scale")]
    [InlineData("\"loss\": true, \"loss_scale\": 0.5", "+0.5", " loss_scale loss")]
    [InlineData("\"loss\": false, \"loss_scale\": 0.5", "-0.5", "- loss_scale")]
    [InlineData("\"masked\": true", "-", "-")]
    [InlineData("\"masked\": false", "", "")]
    [InlineData("\"masked\": true, \"weight\": 1", "-", "- weight")]
    [InlineData("\"train\": false", "-", "-")]
    [InlineData("\"train\": true", "+", "+")]
    [InlineData("\"train_on\": 0", "-", "-")]
    [InlineData("\"training\": true", "+", "+")]
    public void A_turn_says_whether_and_how_much_it_counts(string keys, string ofAssistant, string ofUser)
    {
        foreach (var format in (string[])["messages", "sharegpt"])
        {
            Assert.Equal(ofAssistant, Read("assistant", keys, format));
            Assert.Equal(ofUser, Read("user", keys, format));
            Assert.Equal(ofAssistant, Read("user", keys, format, roles: ["assistant", "user"]));   // whose turns are trained on
        }
    }

    private static IReadOnlyList<ContentPart> Parts(string turn)
    {
        var row = JsonElement.Parse($$"""{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", {{turn}}}]}""");
        return Assert.IsType<Example.Chat>(RowFormat.Named("messages").Read(new Fields(row, RowFormat.Named("messages"), RowSettings.Default))).Conversation.Messages[1].Parts;
    }

    /// <summary>The example of axolotl's documentation: both ends are included, and what no entry names is not trained on.</summary>
    [Fact]
    public void Parts_by_offsets()
    {
        Assert.Equal(
            [new(0, 9, 0), new(9, 19, 1), new(19, 31, 0)],
            Parts("""
                "content": "I'm doing very well, thank you!",
                "train_detail": [{"begin_offset": 0, "end_offset": 8, "train": false}, {"begin_offset": 9, "end_offset": 18, "train": true}, {"begin_offset": 19, "end_offset": 30, "train": false}]
                """));
        Assert.Equal([new(0, 1, 1), new(1, 3, 0)], Parts("\"content\": \"abc\", \"train_detail\": [{\"begin_offset\": 0, \"end_offset\": 0, \"train\": true}]"));
        // Python counts a character beyond the basic plane once.
        Assert.Equal([new(0, 2, 0), new(2, 3, 1)], Parts("\"content\": \"🙂b\", \"train_detail\": [{\"begin_offset\": 1, \"end_offset\": 1, \"train\": true}]"));
    }

    [Fact]
    public void Parts_of_a_content_say_it_themselves() => Assert.Equal(
        [new(0, 3, 0), new(5, 9, 1), new(9, 12, 0.5f)],
        Parts("""
            "content": [{"type": "text", "text": "one", "train": false}, {"type": "text", "text": "; "}, {"type": "text", "text": "two ", "train": true}, {"type": "text", "text": "end", "weight": 0.5}]
            """));
}
