using System.Text.RegularExpressions;
using LlmTune.Config;
using LlmTune.Data;
using Serilog.Core;

namespace LlmTune.Tests.Data;

/// <summary>
/// Real sets of judged answers, counted once more by a few lines of Python: a character is a token, a turn has four more than its role and
/// its text, an answer in the assistant's turn has two, an answer that is a text has EOS.
/// </summary>
public class JudgedDataSetsTests
{
    private static Corpus Build(SourceConfig source, int maxLength, TruncationMode truncation, Judgement? takes = null) => Corpus.Build(
        new DataConfig { Sources = [source], MaxLength = maxLength, Truncation = truncation, OnError = OnError.Fail },
        new CorpusSettings { Codec = Codecs.Characters, Takes = takes }, Logger.None, TestContext.Current.CancellationToken);

    private static SourceConfig Set(string file) => new() { Path = Material.Path("pref", file) };

    [Theory]
    [InlineData("dpo_en_demo.json", "preference", 300, 2_034_614, 895_806, 15_715, 5)]
    [InlineData("hh_rlhf_harmless_1500.jsonl", "preference", 1500, 2_011_794, 570_856, 4_328, 0)]
    [InlineData("kto_en_demo.json", "kto", 300, 828_592, 385_968, 15_465, 0)]
    [InlineData("stack_exchange_paired_tiny.json", "preference", 25, 170_931, 37_685, 11_611, 0)]
    public void Every_row_is_kept(string file, string format, int rows, int tokens, int trained, int longest, int duplicates)
    {
        using var corpus = Build(Set(file), 1 << 20, TruncationMode.Raise);
        var report = corpus.Report.Sources[0];
        Assert.Equal((format, rows, rows), (report.Format, report.Rows, report.Documents));
        Assert.Equal((tokens, trained, longest, duplicates), (report.Tokens, report.Trained, report.Longest, report.Duplicates));
        Assert.Equal(0, report.Malformed.Count + report.TooLong.Count + report.NothingToTrain.Count + report.Truncated.Count + report.TokensLost);
        Assert.Equal(tokens, Enumerable.Range(0, corpus.Count).Sum(d => corpus.Sequences(d).Sum(s => (long)s.Length)));
        Assert.Equal(trained, Enumerable.Range(0, corpus.Count).Sum(d => corpus.Sequences(d).Sum(s => (long)s.TrainedCount)));
    }

    [Theory]
    [InlineData("dpo_en_demo.json", 197, 1_820_494)]
    [InlineData("hh_rlhf_harmless_1500.jsonl", 56, 275_356)]
    [InlineData("kto_en_demo.json", 138, 674_724)]
    [InlineData("stack_exchange_paired_tiny.json", 21, 165_021)]
    public void What_is_too_long_is_left_out_or_cut_and_counted(string file, int tooLong, int lost)
    {
        const int Limit = 2048;
        using var dropped = Build(Set(file), Limit, TruncationMode.Drop);
        var report = dropped.Report.Sources[0];
        Assert.Equal((tooLong, lost, 0), (report.TooLong.Count, report.TokensLost, report.Truncated.Count));
        Assert.Equal(report.Rows, report.Documents + tooLong);

        using var cut = Build(Set(file), Limit, TruncationMode.Truncate);
        var after = cut.Report.Sources[0];
        Assert.Equal((0, tooLong), (after.TooLong.Count, after.Truncated.Count + after.NothingToTrain.Count));
        Assert.Equal(report.Tokens + lost, after.Tokens + after.TokensLost);
        Assert.All(Enumerable.Range(0, cut.Count), d => Assert.InRange(cut.Judged(d).Longest, 1, Limit));
    }

    [Theory]
    [InlineData("dpo_en_demo.json")]
    [InlineData("hh_rlhf_harmless_1500.jsonl")]
    [InlineData("stack_exchange_paired_tiny.json")]
    public void The_columns_that_the_refusal_names_train_on_the_chosen_answers(string file)
    {
        var message = Assert.Throws<RequestException>(() => Build(Set(file), 1 << 20, TruncationMode.Raise, Judgement.None)).Message;
        var columns = Regex.Match(message, @"columns: \{ (.*) \}$").Groups[1].Value.Split(", ").Select(pair => pair.Split(": "));
        using var judged = Build(Set(file), 1 << 20, TruncationMode.Raise);
        var mapped = Set(file) with { Columns = new ValueDictionary(columns.Select(pair => KeyValuePair.Create(pair[0], pair[1]))) };
        using var chosen = Build(mapped, 1 << 20, TruncationMode.Raise, Judgement.None);
        Assert.Equal(judged.Count, chosen.Count);
        Assert.All(Enumerable.Range(0, judged.Count), d => Assert.Equal(judged.Sequences(d).First().Ids, chosen[d].Ids));
    }

    [Theory]
    [InlineData("dpo_en_demo", "pref/dpo_en_demo.json", "preference")]
    [InlineData("kto_en_demo", "pref/kto_en_demo.json", "kto")]
    public void Entries_of_dataset_info_are_read(string name, string file, string format)
    {
        using var folder = new TemporaryFolder();
        File.Copy(Material.Path("sft", "dataset_info.json"), folder["dataset_info.json"]);
        File.Copy(Material.Path(file.Split('/')), folder[$"{name}.json"]);
        using var named = Build(new SourceConfig { Name = name, Dir = folder.Path }, 1 << 20, TruncationMode.Raise);
        using var found = Build(Set(Path.GetFileName(file)), 1 << 20, TruncationMode.Raise);
        Assert.Equal((format, 300), (named.Report.Sources[0].Format, named.Count));
        Assert.All(Enumerable.Range(0, 300), d => Assert.Equal((found.Content(d), found.Length(d)), (named.Content(d), named.Length(d))));
    }
}
