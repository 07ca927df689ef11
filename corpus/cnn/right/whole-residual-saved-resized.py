# /// row
# summary = "Whole: residual blocks; best weights saved and loaded, samplers; images resized to 24×24"
# right = [
#     "task1_convolution_tests",
#     "task2_case_1_tests",
#     "task2_case_2_tests",
#     "task2_case_3_tests",
#     "task3_architecture_tests",
#     "task3_training_tests",
#     "task3_accuracy_tests",
#     "task4_exp1_tests",
#     "task4_exp2_tests",
#     "task4_exp3_tests",
#     "task4_exp4_tests",
#     "task4_exp5_tests",
#     "task4_single_loop_tests",
#     "task5_cam_tests",
# ]
# ///

# %% task1_convolution
def convolution(X: torch.Tensor, K: torch.Tensor, q: int) -> torch.Tensor:
    if not torch.is_tensor(X):
        raise TypeError("działam tylko na tensorach")
    k = K.size(0)
    kolumny = F.unfold(X.permute(2, 0, 1).unsqueeze(0).float(), kernel_size=k)[0]
    wagi = K.permute(3, 2, 0, 1).flatten(1).float()
    return (wagi @ kolumny).view(q, X.size(0) - k + 1, -1).permute(1, 2, 0)

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)

# %% task3_data
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.Compose([transforms.Resize((24, 24)), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transform)
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
class Blok(nn.Module):
    def __init__(self, a, b, bn=False, **kw):
        super().__init__()
        self.c1 = nn.Conv2d(a, b, 3, **({"padding": "same"} | kw))
        self.c2 = nn.Conv2d(b, b, 3, padding="same", bias=not bn)
        self.bn = nn.BatchNorm2d(b) if bn else nn.Identity()

    def forward(self, x):
        x = F.leaky_relu(self.c1(x), 0.1)
        y = self.bn(self.c2(x))
        y += x  # połączenie rezydualne, w miejscu
        return F.leaky_relu(y, 0.1)

class ResSiec(nn.Module):
    def __init__(self, *bloki, pool=None, gap=False, drop=0.0):
        super().__init__()
        self.bloki = nn.Sequential(*bloki)
        self.pool, self.gap, self.drop = pool, gap, drop
        self.drop2d = nn.Dropout2d(drop)
        self.fc = nn.LazyLinear(10)

    def forward(self, x):
        for blok in self.bloki:
            x = blok(x)
            if self.pool is not None:
                x = self.pool(x)
        if self.training and self.drop > 0:
            x = self.drop2d(x)
        x = torch.einsum("bchw->bc", x) / x[0, 0].numel() if self.gap else x.reshape(len(x), -1)
        return F.log_softmax(self.fc(x), dim=-1)

# %% task3_training
from sklearn.metrics import accuracy_score, f1_score

@torch.no_grad()
def przewiduj(model, dane):
    model.eval()
    wyniki, etykiety = [], []
    for x, y in DataLoader(dane, batch_size=200):
        wyniki.append(model(x.to(DEVICE)).cpu())
        etykiety.append(y)
    return torch.cat(wyniki), torch.cat(etykiety)

def ocen(name, model, historia):
    s, y = przewiduj(model, testset)
    models[name], histories[name] = model, historia
    results[name] = dict(accuracy=accuracy_score(y, s.argmax(1)), f1=f1_score(y, s.argmax(1), average="macro"),
                         parameters=sum(p.numel() for p in model.parameters()))
    print(name, results[name])

def pusta():
    return {k: [] for k in ("train_loss", "val_loss", "val_accuracy")}

def dopisz(historia, strata, model, val):
    s, y = przewiduj(model, val)
    historia["train_loss"].append(strata)
    historia["val_loss"].append(F.cross_entropy(s, y).item())
    historia["val_accuracy"].append((s.argmax(1) == y).float().mean().item())

def rysuj(*nazwy):
    for nazwa in nazwy:
        plt.plot(histories[nazwa]["train_loss"], label=f"{nazwa} ucz.")
        plt.plot(histories[nazwa]["val_loss"], "--", label=f"{nazwa} wal.")
    plt.legend(); plt.show()

import os, tempfile
from torch.utils.data import SubsetRandomSampler

def train(model):
    raise NotImplementedError  # napiszę niżej

def train(name, model, epoki=3):
    # najlepsze wagi na dysk i z powrotem
    print(str(summary(model, input_size=(1, *IMAGE_SHAPE), verbose=0)))
    indeksy = np.random.default_rng(0).permutation(len(trainset))
    val = torch.utils.data.Subset(trainset, indeksy[:500].tolist())
    loader = DataLoader(trainset, batch_size=80, sampler=SubsetRandomSampler(indeksy[500:].tolist()))
    opt = torch.optim.RMSprop(model.parameters(), lr=0.003)
    plan = optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
    historia = pusta()
    with tempfile.TemporaryDirectory() as folder:
        plik = os.path.join(folder, "najlepszy.pt")
        for e in range(epoki):
            model.train()
            if e == 1:
                model.requires_grad_(True)  # odmrażam to, co było zamrożone
            suma = 0
            for x, y in loader:
                opt.zero_grad()
                strata = F.cross_entropy(model(x.to(DEVICE)), y.to(DEVICE), label_smoothing=0.05)
                strata.backward()
                opt.step()
                suma += strata.item()
            dopisz(historia, suma / len(loader), model, val)
            plan.step(historia["val_loss"][-1])
            if historia["val_accuracy"][-1] == max(historia["val_accuracy"]):
                torch.save(model.state_dict(), plik)
        model.load_state_dict(torch.load(plik, weights_only=True))
    ocen(name, model, historia)

ucz = train

# %% task3_baseline
ucz("baseline", ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8)))
rysuj("baseline")

# %% task4_exp1
ucz("max_pool", ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8), pool=nn.MaxPool2d(2)))
ucz("avg_pool", ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8), pool=nn.AvgPool2d(2)))

# %% task4_exp2
ucz("gap", ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8), pool=nn.MaxPool2d(2), gap=True))

# %% task4_exp3
ucz("regularized", ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8), pool=nn.MaxPool2d(2), gap=True, drop=0.1))

# %% task4_exp4
ucz("deep", ResSiec(Blok(IMAGE_SHAPE[0], 6, True), Blok(6, 8, True), Blok(8, 12, True), pool=nn.MaxPool2d(2), gap=True, drop=0.1))

# %% task4_exp5
ucz("custom", ResSiec(Blok(IMAGE_SHAPE[0], 6, padding=3, dilation=3), Blok(6, 8), pool=nn.MaxPool2d(2), gap=True))
rysuj(*models)

# %% task4_comparison
Pooling i BatchNorm pomogły.

# %% task4_exp5_answer
Chciałem większego pola recepcyjnego.

# %% task5_cam
def cam(model, image, class_index):
    zapis = []
    uchwyty = [blok.register_forward_hook(lambda m, wej, wyj: zapis.append(wyj.detach())) for blok in model.bloki]
    model.eval()
    model(image[None])
    [u.remove() for u in uchwyty]
    mapy = model.pool(zapis[-1])[0] if model.pool is not None else zapis[-1][0]
    heat = (model.fc.weight[class_index].detach() @ mapy.flatten(1)).reshape(mapy.shape[1:])
    return (heat - heat.min()) / (heat.max() - heat.min())
