using LlmTune.Config;
using LlmTune.Recipes;
using LlmTune.Recipes.OtherTools;

namespace LlmTune.Tests.Recipes.OtherTools;

/// <summary>The examples of LLaMA-Factory itself: each is translated, or refused with the reason in a line.</summary>
public class LlamaFactoryFilesTests
{
    /// <summary>For each file what becomes of it, refusals by their first words.</summary>
    private const string Outcomes = """
        accelerate/fsdp2_config.yaml: 1 compute_environment: this is the configuration of accelerate
        accelerate/fsdp2_config_qwen35.yaml: 1 compute_environment: this is the configuration of accelerate
        accelerate/fsdp2_config_qwen35_moe.yaml: 1 compute_environment: this is the configuration of accelerate
        accelerate/fsdp_config.yaml: 1 compute_environment: this is the configuration of accelerate
        accelerate/fsdp_config_multiple_nodes.yaml: 8 compute_environment: this is the configuration of accelerate
        accelerate/fsdp_config_offload.yaml: 1 compute_environment: this is the configuration of accelerate
        ascend/qwen3_5_full_sft_fsdp2.yaml: translated
        ascend/qwen3_5moe_lora_sft_fsdp2.yaml: translated
        ascend/qwen3_full_sft_fsdp2.yaml: translated
        ascend/qwen3moe_full_sft_fsdp.yaml: translated
        ascend/qwen3vlmoe_full_sft_fsdp2.yaml: 9 image_max_pixels: 262144 is for images
        ascend/qwen3vlmoe_lora_sft_fsdp.yaml: 3 image_max_pixels: 262144 is for images
        extras/adam_mini/qwen2_full_sft.yaml: 9 use_adam_mini: true uses another optimizer
        extras/apollo/llama3_full_sft.yaml: 9 use_apollo: true uses another optimizer
        extras/asft/llama2_full_asft.yaml: 10 use_asft_loss: true is another loss (ASFT)
        extras/asft/qwen2_full_asft.yaml: 10 use_asft_loss: true is another loss (ASFT)
        extras/badam/llama3_full_sft.yaml: 9 use_badam: true uses another optimizer
        extras/dft/qwen2_full_sft.yaml: 9 use_dft_loss: true is another loss (DFT)
        extras/eaft/qwen25_05b_eaft_full.yaml: 9 use_eaft_loss: true is another loss (EAFT)
        extras/fp8/llama3_fp8_deepspeed_sft.yaml: 39 fp8: true computes in 8 bits
        extras/fp8/llama3_fp8_fsdp_sft.yaml: 39 fp8: true computes in 8 bits
        extras/fsdp_qlora/llama3_lora_sft.yaml: 3 quantization_bit: 4 holds the base in few bits
        extras/galore/llama3_full_sft.yaml: 9 use_galore: true uses another optimizer
        extras/llama_pro/llama3_freeze_sft.yaml: 11 use_llama_pro: true trains blocks that were put in between (LLaMA Pro)
        extras/loraplus/llama3_lora_sft.yaml: 11 loraplus_lr_ratio: 16.0 is a learning rate of its own for B (LoRA+)
        extras/mod/llama3_full_sft.yaml: 9 mixture_of_depths: convert makes layers skip tokens
        extras/multi_tokens/tokens_cfg.yaml: 2 this is a list of new tokens with descriptions (LLaMA-Factory's new_special_tokens_config)
        extras/muon/qwen2_full_sft.yaml: 9 use_muon: true uses another optimizer
        extras/nlg_eval/llama3_lora_predict.yaml: 11 this file measures a model
        extras/oft/llama3_oft_sft.yaml: 8 finetuning_type: oft is a method that is not built
        extras/oft/qwen2_5vl_oft_sft.yaml: 3 image_max_pixels: 262144 is for images; 10 finetuning_type: oft is a method that is not built
        extras/pissa/llama3_lora_sft.yaml: 11 pissa_init: true starts from the main singular vectors (PiSSA)
        extras/qoft/llama3_oft_sft_awq.yaml: 8 finetuning_type: oft is a method that is not built
        extras/qoft/llama3_oft_sft_bnb_npu.yaml: 3 quantization_bit: 4 holds the base in few bits; 11 finetuning_type: oft is a method that is not built
        extras/qoft/llama3_oft_sft_gptq.yaml: 8 finetuning_type: oft is a method that is not built
        inference/mossvl.yaml: 5 this file generates text
        inference/qwen3.yaml: 3 this file generates text
        inference/qwen3_full_sft.yaml: 3 this file generates text
        inference/qwen3_lora_sft.yaml: 4 this file generates text
        inference/qwen3vl.yaml: 3 this file generates text
        ktransformers/accelerate/fsdp2_kt_bf16.yaml: 1 compute_environment: this is the configuration of accelerate
        ktransformers/accelerate/fsdp2_kt_int4.yaml: 1 compute_environment: this is the configuration of accelerate
        ktransformers/accelerate/fsdp2_kt_int8.yaml: 1 compute_environment: this is the configuration of accelerate
        ktransformers/accelerate/fsdp2_kt_int8_1gpu.yaml: 1 compute_environment: this is the configuration of accelerate
        ktransformers/accelerate/fsdp2_kt_int8_8gpu.yaml: 1 compute_environment: this is the configuration of accelerate
        ktransformers/train_lora/deepseek_v2_lora_sft_kt.yaml: 42 use_kt: true computes experts on the CPU (KTransformers)
        ktransformers/train_lora/deepseek_v3_int8_lora_sft_kt.yaml: 42 use_kt: true computes experts on the CPU (KTransformers)
        ktransformers/train_lora/deepseek_v3_lora_sft_kt.yaml: 42 use_kt: true computes experts on the CPU (KTransformers)
        ktransformers/train_lora/qwen3_5moe_lora_sft_kt.yaml: 42 use_kt: true computes experts on the CPU (KTransformers)
        ktransformers/train_lora/qwen3moe_lora_sft_kt.yaml: 42 use_kt: true computes experts on the CPU (KTransformers)
        ktransformers/train_lora/qwen3vlmoe_lora_sft_kt.yaml: 3 image_max_pixels: 262144 is for images; 42 use_kt: true computes experts on the CPU (KTransformers)
        megatron/qwen2_vl_full.yaml: 2 image_max_pixels: 262144 is for images; 24 tensor_model_parallel_size: 4 is a setting of the Megatron trainer
        megatron/qwen3_moe_full.yaml: 24 tensor_model_parallel_size: 1 is a setting of the Megatron trainer
        megatron_bridge/llama3_sft.yaml: 35 tensor_model_parallel_size: 1 is a setting of the Megatron trainer
        merge_lora/mossvl_lora_sft.yaml: 11 this file merges an adapter
        merge_lora/qwen3_full_sft.yaml: 7 this file writes a model anew in parts
        merge_lora/qwen3_gptq.yaml: 8 this file writes a quantized model
        merge_lora/qwen3_lora_sft.yaml: 10 this file merges an adapter
        merge_lora/qwen3vl_lora_sft.yaml: 10 this file merges an adapter
        train_full/mossvl_full_sft.yaml: 5 image_max_pixels: 262144 is for images
        train_full/qwen3_full_sft.yaml: translated
        train_full/qwen3vl_full_sft.yaml: 3 image_max_pixels: 262144 is for images
        train_lora/mossvl_lora_sft.yaml: 5 image_max_pixels: 262144 is for images
        train_lora/qwen3_lora_dpo.yaml: 6 stage: dpo trains on preferences or rewards
        train_lora/qwen3_lora_kto.yaml: 6 stage: kto trains on preferences or rewards
        train_lora/qwen3_lora_pretrain.yaml: translated
        train_lora/qwen3_lora_reward.yaml: 6 stage: rm trains on preferences or rewards
        train_lora/qwen3_lora_sft.yaml: translated
        train_lora/qwen3_lora_sft_ds3.yaml: translated
        train_lora/qwen3_lora_sft_ray.yaml: 14 dataset_dir: REMOTE:llamafactory/demo_data is a place in the net
        train_lora/qwen3_preprocess.yaml: translated
        train_lora/qwen3vl_lora_dpo.yaml: 3 image_max_pixels: 262144 is for images; 8 stage: dpo trains on preferences or rewards
        train_lora/qwen3vl_lora_sft.yaml: 3 image_max_pixels: 262144 is for images
        train_qlora/llama3_lora_sft_aqlm.yaml: translated
        train_qlora/llama3_lora_sft_awq.yaml: translated
        train_qlora/llama3_lora_sft_gptq.yaml: translated
        train_qlora/qwen3_lora_sft_bnb_npu.yaml: 3 quantization_bit: 4 holds the base in few bits
        train_qlora/qwen3_lora_sft_otfq.yaml: 3 quantization_bit: 4 holds the base in few bits
        v1/train_batching_strategy/train_full_fsdp2_batching_normal.yaml: translated
        v1/train_batching_strategy/train_full_fsdp2_dynamic_batching.yaml: 20 batching_strategy: dynamic_batching fills batches by tokens
        v1/train_batching_strategy/train_full_fsdp2_dynamic_padding_free.yaml: 19 batching_strategy: dynamic_padding_free fills batches by tokens
        v1/train_batching_strategy/train_full_fsdp2_padding_free.yaml: translated
        v1/train_freeze/train_freeze_sft.yaml: translated
        v1/train_full/train_full_deepspeed.yaml: translated
        v1/train_full/train_full_fsdp2.yaml: translated
        v1/train_full/train_full_liger_kernel.yaml: translated
        v1/train_full/train_full_muon.yaml: 9 optim_config.name: muon is an optimizer that is not built
        v1/train_full/train_full_qwen3_moe_fsdpturbo_ep_fsdp.yaml: translated
        v1/train_full/train_full_ulysses_cp.yaml: translated
        v1/train_full/train_multimodal.yaml: 15 train_dataset: data/v1_multimodal_demo.yaml is not there (…/data/v1_multimodal_demo.yaml)
        v1/train_lora/export_lora.yaml: 2 this file merges an adapter
        v1/train_lora/train_lora_dpo.yaml: 1 orca.source is not local; 1 orca.converter is pair: trains on preferences or rewards
        v1/train_lora/train_lora_sft.yaml: translated
        v1/train_lora/train_lora_sft_rank0.yaml: translated
        v1/train_qlora/quantization.yaml: 24 quant_config.quantization_bit: 4 holds the base in few bits
        """;

    private static string Examples
    {
        get
        {
            var root = Environment.GetEnvironmentVariable("LLMTUNE_DATA");
            if (string.IsNullOrEmpty(root)) Assert.Skip("LLMTUNE_DATA names no folder");
            return Path.Combine(root, "configs", "llamafactory");
        }
    }

    private static IEnumerable<(string Name, string Text)> Files() => Directory.EnumerateFiles(Examples, "*.yaml", SearchOption.AllDirectories)
        .Select(file => (Name: Path.GetRelativePath(Examples, file).Replace('\\', '/'), Text: File.ReadAllText(file))).OrderBy(file => file.Name, StringComparer.Ordinal);

    /// <summary>A folder with the descriptions of data sets that files of v1 name.</summary>
    private static TemporaryFolder Workplace()
    {
        var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["data"]);
        File.WriteAllText(folder["data/v1_sft_demo.yaml"], """
            identity: { path: data/identity.json, source: local, converter: alpaca }
            alpaca_en_demo: { path: data/alpaca_en_demo.json, source: local, converter: alpaca, size: 500 }
            """);
        File.WriteAllText(folder["data/v1_dpo_demo.yaml"], "orca: { path: HuggingFaceH4/orca_dpo_pairs, split: train_prefs, converter: pair }");
        return folder;
    }

    [Fact]
    public void Each_is_translated_or_refused_with_the_reason()
    {
        using var folder = Workplace();
        var outcomes = Files().Select(file => $"{file.Name}: {Outcome(file.Name, file.Text, folder.Path)}").ToList();
        Assert.Equal(95, outcomes.Count);
        Assert.Equal(Outcomes.ReplaceLineEndings("\n").Split('\n'), outcomes);
    }

    /// <summary>Whatever is translated has each of its keys said once, and comes out the same through a run file of ours.</summary>
    [Fact]
    public void What_is_translated_is_complete_and_reads_back_equal()
    {
        using var folder = Workplace();
        var count = 0;
        foreach (var (name, text) in Files().Where(file => Outcome(file.Name, file.Text, folder.Path) == "translated"))
        {
            var translation = Theirs.Translate(text, folder.Path);
            Theirs.EveryKeyOnce(text, translation);
            var run = new RunFile(translation.Config(), translation);
            var ours = TranslatedRun.Text(run, "run.yaml", folder["runs"], "schema.json");
            Assert.Equal(run.Config, ConfigFile.Parse<RunConfig>(ours, folder["runs/run.yaml"]));
            Assert.Contains($"Translated from theirs.yaml, a run file of {translation.Tool}.", ours, StringComparison.Ordinal);
            Assert.True(run.Config.Resolved().Training.LearningRate > 0, name);
            count++;
        }
        Assert.True(count >= 15, $"{count}");
    }

    private static string Outcome(string name, string text, string folder)
    {
        try
        {
            var place = new Place("theirs.yaml", folder);
            return ForeignTools.Translate(text, place) is not { } translation ? "taken for one of ours" : translation.Config() is null ? "" : "translated";
        }
        catch (ConfigException e)
        {
            Assert.All(e.Problems, problem => Assert.True(problem.Place.Line > 0, $"{name}: {problem}"));
            return string.Join("; ", e.Problems.Select(problem => $"{problem.Place.Line} {First(problem.Message.Replace(folder, "…", StringComparison.Ordinal))}"));
        }
    }

    /// <summary>The key with its value, and the first words about what is wrong with it.</summary>
    private static string First(string message) => message.Split([", ", "; "], StringSplitOptions.None)[0];
}
